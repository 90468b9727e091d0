#include "control/rehearsal.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "control/verdict.hpp"

namespace vestibule {

namespace {

constexpr auto tcx_egress = static_cast<bpf_attach_type>(47); // BPF_TCX_EGRESS, Linux 6.6

// The egress hook, on every way out, for as long as this object lives.
class eavesdropping {
public:
    eavesdropping(int program, const std::vector<u32>& interfaces) {
        for (u32 ifindex : interfaces) {
            descriptor link(bpf_link_create(program, static_cast<int>(ifindex), tcx_egress, nullptr));
            if (!link && errno != ENODEV)
                fail("cannot attach at TC egress of interface {}: {}", ifindex, std::strerror(errno));
            links_.push_back(std::move(link));
        }
    }

private:
    std::vector<descriptor> links_;
};

int keep(void* to, void* data, size_t size) {
    if (size == sizeof(overheard))
        static_cast<std::vector<utterance>*>(to)->push_back(understand(*static_cast<overheard*>(data)));
    return 0;
}

} // namespace

// All frames for a number of endpoints, and the cues they were made from.
struct rehearsal::scene {
    std::vector<std::vector<cue>> cues; // one list for each question, maybe empty
    std::vector<rehearsal_frame> frames;
};

rehearsal::rehearsal(const programs& loaded, netlink& route, u32 token)
    : programs_(loaded), route_(route), token_(token), ring_(nullptr, ring_buffer__free) {
    ring_.reset(ring_buffer__new(loaded.rehearsal.map("answers_overheard"), keep, &heard_, nullptr));
    if (ring_ == nullptr)
        fail("cannot read the rehearsal's ring buffer: {}", std::strerror(errno));
}

void rehearsal::play(const scene& s, u32 ifindex) {
    const int frames = programs_.rehearsal.map("frames");
    for (u32 i = 0; i < s.frames.size(); ++i)
        put(frames, i, s.frames[i]);
    put(programs_.rehearsal.map("cursor"), u32{0}, rehearsal_cursor{0, static_cast<u32>(s.frames.size())});
    rehearsal_frame blank{};
    if (inject_frames(programs_.rehearsal.program("inject"), ifindex, blank.bytes, sizeof(blank), s.frames.size()) != 0)
        fail("the kernel refused to inject rehearsal frames: {}", std::strerror(errno));
}

std::vector<utterance> rehearsal::listen() {
    ring_buffer__consume(ring_.get());
    return std::exchange(heard_, {});
}

namespace {

void add_cue(std::vector<rehearsal_frame>& frames, const cue& c, bool nat, u32 token) {
    for (u8 kind = 0; kind < offer_classes; ++kind) { // each cleared before the next, so that no backlog is filled
        frames.push_back(offer_frame(c, offer_class{kind}, token));
        frames.push_back(clearing_frame(c, offer_class{kind}, token));
    }
    frames.push_back(stray_ack_frame(c, false, token));
    if (nat)
        frames.push_back(stray_ack_frame(c, true, token));
}

constexpr u32 frames_for_one = 7 * (2 * offer_classes + 2); // sources x frames, at most

} // namespace

std::vector<finding> rehearsal::perform(std::span<const question> questions, bool nat) {
    source_finder finder(route_);
    const eavesdropping ears(programs_.rehearsal.program("overhear"), finder.links().bottoms());
    listen(); // nothing from before
    std::vector<finding> out;
    std::size_t done = 0;
    while (done < questions.size()) {
        scene s;
        const u32 ifindex = questions[done].where.ifindex;
        std::size_t end = done;
        for (; end < questions.size() && questions[end].where.ifindex == ifindex &&
               s.frames.size() + frames_for_one <= most_rehearsal_frames;
             ++end) {
            const question& q = questions[end];
            auto& cues = s.cues.emplace_back();
            for (const source& from : finder.for_endpoint(q.where, q.asking ? &*q.asking : nullptr))
                cues.push_back({q.where, from});
            for (const cue& c : cues)
                add_cue(s.frames, c, nat, token_);
        }
        if (!s.frames.empty())
            play(s, ifindex);
        const transcript t(listen());
        for (std::size_t i = 0; i < s.cues.size(); ++i) {
            answer a{};
            a.why = left_reason::no_source;
            if (!s.cues[i].empty())
                a = judge(t, s.cues[i], nat, finder.links());
            out.push_back({questions[done + i].where, a});
        }
        done = end;
    }
    return out;
}

} // namespace vestibule
