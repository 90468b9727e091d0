#include "control/rehearsal.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>

#include "control/half_open.hpp"

namespace vestibule {

// One endpoint: on whose behalf it is asked for; maybe nobody's.
struct rehearsal::part {
    endpoint where;
    std::vector<cue> cues;
};

namespace {

// What goes in on one interface, and how many answers that may draw.
struct scene {
    std::vector<rehearsal_frame> frames;
    std::size_t questions = 0;

    void ask(const rehearsal_frame& f) {
        frames.push_back(f);
        ++questions;
    }
    void clear(const rehearsal_frame& f) { frames.push_back(f); }
};

bool heard(const evidence& e, const cue& c, speech kind) {
    const utterance* u = e.said.reply_to(c, e.ours.offer_port(offer_class::everything));
    return u != nullptr && u->kind == kind;
}

void ask_further(scene& s, const evidence& e, const std::vector<cue>& cues) {
    for (const offer_class kind : {offer_class::no_timestamps, offer_class::accecn}) {
        s.ask(offer_frame(cues.front(), kind, e.ours));
        s.clear(clearing_frame(cues.front(), kind, e.ours, false));
    }
    for (const cue& c : cues) {
        s.ask(stray_ack_frame(c, false, e.ours));
        if (e.nat)
            s.ask(stray_ack_frame(c, true, e.ours));
    }
}

// By which station strangers are answered; none, where that depends on the stranger.
void keep_way_back(answer& a, const std::vector<cue>& cues) {
    const cue* first = nullptr;
    for (const cue& c : cues) {
        if (!c.from.stranger)
            continue;
        if (first != nullptr && first->from.link != c.from.link)
            return;
        first = &c;
    }
    if (first != nullptr)
        std::memcpy(a.way_back, first->from.link.data(), sizeof(a.way_back));
}

bool silence_decided(const answer& a, const evidence& e, const std::vector<cue>& cues) {
    const auto unheard = [&](const cue& c, offer_class kind) {
        return e.said.reply_to(c, e.ours.offer_port(kind)) == nullptr;
    };
    if (a.state == service::served)
        return false;
    if (a.why == left_reason::no_answer || a.why == left_reason::by_source)
        return std::any_of(cues.begin(), cues.end(), [&](const cue& c) { return unheard(c, offer_class::everything); });
    if (a.why == left_reason::odd_answer)
        return unheard(cues.front(), offer_class::no_timestamps);
    return a.why == left_reason::completion_filtered || a.why == left_reason::untracked_filtered;
}

bool ecn_is_handed_over() {
    std::ifstream setting("/proc/sys/net/ipv4/tcp_ecn");
    int value = 0;
    return setting >> value && value != 0;
}

} // namespace

struct rehearsal::performance {
    evidence known;
    transcript& said;
    const std::vector<part>& parts;
};

rehearsal::rehearsal(const programs& loaded, netlink& route, u32 token)
    : programs_(loaded), route_(route), diagnosis_(NETLINK_SOCK_DIAG), ours_{token, first_port}, ears_(loaded) {}

disguise rehearsal::next_disguise() {
    ours_.port = static_cast<u16>(ours_.port + ports_for_one);
    if (ours_.port + ports_for_one > last_port)
        ours_.port = first_port;
    return ours_;
}

std::vector<rehearsal::part> rehearsal::cast(std::span<const question> questions, source_finder& finder) {
    std::vector<part> out;
    for (const question& q : questions) {
        part& p = out.emplace_back(part{q.where, {}});
        for (const source& from : finder.for_endpoint(q.where, q.asking ? &*q.asking : nullptr))
            p.cues.push_back({q.where, from});
    }
    return out;
}

std::vector<cue> rehearsal::attempts(const std::vector<part>& parts) {
    std::vector<cue> out;
    for (const part& each : parts)
        out.insert(out.end(), each.cues.begin(), each.cues.end());
    return out;
}

// False: there is nothing to ask. What could not be heard is not asked.
bool rehearsal::attend(std::vector<part>& parts, const link_table& links) {
    if (std::all_of(parts.begin(), parts.end(), [](const part& p) { return p.cues.empty(); }))
        return false;
    ears_.attend(links.bottoms());
    for (part& p : parts)
        for (u32 deaf : ears_.deaf())
            if (links.leads_to(p.where.ifindex, deaf))
                p.cues.clear();
    return true;
}

void rehearsal::play(u32 ifindex, std::span<const rehearsal_frame> frames) {
    const int map = programs_.map("frames");
    for (u32 i = 0; i < frames.size(); ++i)
        put(map, i, frames[i]);
    put(programs_.map("cursor"), u32{0}, rehearsal_cursor{0, static_cast<u32>(frames.size())});
    put(programs_.map("agreed"), u32{0}, agreement{});
    const rehearsal_frame blank{};
    if (inject_frames(programs_.program("inject"), ifindex, blank.bytes, rehearsal_frame_bytes, frames.size()) != 0)
        fail("the kernel refused to inject rehearsal frames: {}", std::strerror(errno));
}

// `write` adds a part's frames to a scene. Scenes are played as they fill up, so that what is overheard finds room.
template <class Write>
void rehearsal::act(performance& p, Write write) {
    std::map<u32, scene> open;
    const auto perform_scene = [&](u32 ifindex, scene& s) {
        if (s.frames.empty())
            return;
        play(ifindex, s.frames);
        p.said.add(ears_.listen(s.questions));
        s = {};
    };
    constexpr std::size_t most_for_one = 32;
    for (const part& each : p.parts) {
        scene& s = open[each.where.ifindex];
        if (!each.cues.empty())
            write(s, each);
        if (s.frames.size() + most_for_one > most_rehearsal_frames)
            perform_scene(each.where.ifindex, s);
    }
    for (auto& [ifindex, s] : open)
        perform_scene(ifindex, s);
}

// The SYN of each, cleared before the next, so that no backlog is filled. Peers that exist come second: where the packet
// filter answers strangers with ICMP errors, asking on their behalf would use up the few errors that each is granted.
void rehearsal::offer_from(performance& p, bool strangers) {
    act(p, [&](scene& s, const part& each) {
        const bool spare = !strangers && std::any_of(each.cues.begin(), each.cues.end(),
                                                     [&](const cue& c) { return heard(p.known, c, speech::rejects); });
        for (const cue& c : each.cues)
            if (c.from.stranger == strangers && !spare) {
                s.ask(offer_frame(c, offer_class::everything, p.known.ours));
                s.clear(clearing_frame(c, offer_class::everything, p.known.ours, true));
            }
    });
}

// Cleared once more, in case the stack had not spoken yet; and where all went well so far, everything else.
void rehearsal::ask_the_rest(performance& p) {
    act(p, [&](scene& s, const part& each) {
        for (const cue& c : each.cues)
            if (heard(p.known, c, speech::agrees))
                s.clear(clearing_frame(c, offer_class::everything, p.known.ours, false));
        if (judge_attempts(p.known, each.cues).state == service::served)
            ask_further(s, p.known, each.cues);
    });
}

std::vector<finding> rehearsal::perform(std::span<const question> questions, bool nat, bool markable) {
    source_finder finder(route_, strangers_);
    auto parts = cast(questions, finder);
    const disguise ours = next_disguise();
    transcript said;
    performance p{{said, ours, finder.links(), nat, markable, ecn_is_handed_over()}, said, parts};
    if (attend(parts, finder.links())) {
        const half_open what_remains(diagnosis_, attempts(parts), ours, nat);
        offer_from(p, true);
        offer_from(p, false);
        ask_the_rest(p);
    }
    std::vector<finding> out;
    for (const part& each : parts) {
        answer a{};
        a.why = left_reason::no_source;
        if (!each.cues.empty())
            a = judge(p.known, each.cues);
        keep_way_back(a, each.cues);
        out.push_back({each.where, a, silence_decided(a, p.known, each.cues)});
    }
    return out;
}

} // namespace vestibule
