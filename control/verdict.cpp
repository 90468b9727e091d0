#include "control/verdict.hpp"

#include <algorithm>
#include <cstring>

namespace vestibule {

namespace {

std::array<be32, 4> words(const address& a) {
    return {a.word[0], a.word[1], a.word[2], a.word[3]};
}

u16 port_of(offer_class kind) {
    return static_cast<u16>(first_offer_port + static_cast<u16>(kind));
}

promise promise_from(const utterance& u) {
    promise p{};
    p.window = u.said.window;
    p.mss = static_cast<u16>(u.options.mss);
    p.shift = static_cast<u8>(u.options.shift);
    p.allows = static_cast<u8>((offers(u.options, offers_window_scale) ? allows_window_scale : 0) |
                               (offers(u.options, offers_sack) ? allows_sack : 0) |
                               (offers(u.options, offers_timestamps) ? allows_timestamps : 0) |
                               (has(u.said, wire::ece) ? allows_ecn : 0));
    return p;
}

answer left(left_reason why) {
    answer a{};
    a.state = service::left;
    a.why = why;
    return a;
}

// What one source was answered, all classes of offer together.
struct hearing {
    const utterance* everything;
    const utterance* no_timestamps;
    const utterance* accecn;
};

hearing hear(const transcript& t, const cue& c) {
    return {t.reply_to(c, port_of(offer_class::everything)), t.reply_to(c, port_of(offer_class::no_timestamps)),
            t.reply_to(c, port_of(offer_class::accecn))};
}

bool agrees(const utterance* u) {
    return u != nullptr && u->kind == speech::agrees;
}

answer answer_from(const hearing& h, const cue& c) {
    answer a{};
    a.state = service::served;
    a.with_timestamps = promise_from(*h.everything);
    a.without_timestamps = promise_from(*h.no_timestamps);
    std::memcpy(a.link_address, c.from.station.data(), sizeof(a.link_address));
    a.hop_limit = h.everything->hop_limit;
    a.traffic_class = h.everything->traffic_class;
    a.dont_fragment = h.everything->dont_fragment;
    a.flow_label = h.everything->flow_label;
    a.classic_ecn_for_accecn = agrees(h.accecn) && !h.accecn->said.accurate && !has(h.accecn->said, wire::cwr);
    a.former_shift = a.with_timestamps.shift;
    return a;
}

// Empty: the source is served. Otherwise the reason why not.
std::optional<left_reason> objection(const hearing& h, const cue& c, const link_table& links) {
    if (h.everything == nullptr || h.everything->kind == speech::rejects)
        return left_reason::no_answer;
    if (h.everything->kind == speech::resets)
        return left_reason::refused;
    if (h.everything->socket_port != 0 && h.everything->socket_port != host(c.where.port))
        return left_reason::translated;
    if (!links.leads_to(h.everything->ifindex, c.where.ifindex))
        return left_reason::other_interface;
    if (!agrees(h.no_timestamps))
        return left_reason::odd_answer;
    return std::nullopt;
}

bool resets(const utterance* u) {
    return u != nullptr && u->kind == speech::resets;
}

// Whether a completing segment would reach TCP, and in which form it must be handed over.
std::optional<left_reason> completion_objection(const transcript& t, const cue& c, bool nat) {
    if (!resets(t.reply_to(c, tracked_ack_port))) // data segments are tracked in either form
        return left_reason::completion_filtered;
    if (nat && !resets(t.reply_to(c, untracked_ack_port)))
        return left_reason::untracked_filtered;
    return std::nullopt;
}

bool alike(const answer& a, const answer& b) {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
}

// One source by itself.
answer judge_source(const transcript& t, const cue& c, bool nat, const link_table& links) {
    const hearing h = hear(t, c);
    if (const auto why = objection(h, c, links))
        return left(*why);
    if (const auto why = completion_objection(t, c, nat))
        return left(*why);
    answer a = answer_from(h, c);
    a.form = nat ? handoff_form::untracked : handoff_form::tracked;
    return a;
}

} // namespace

transcript::transcript(const std::vector<utterance>& heard) {
    for (const utterance& u : heard)
        if (u.kind != speech::rejects)
            said_[{words(u.said.source), words(u.said.destination), u.said.source_port,
                   host(u.said.destination_port)}] = u;
}

const utterance* transcript::reply_to(const cue& c, u16 our_port) const {
    const auto it = said_.find({words(c.where.local), words(c.from.ip), c.where.port, our_port});
    return it == said_.end() ? nullptr : &it->second;
}

answer judge(const transcript& t, const std::vector<cue>& cues, bool nat, const link_table& links) {
    const answer first = judge_source(t, cues.front(), nat, links);
    for (const cue& c : cues) {
        answer other = judge_source(t, c, nat, links);
        std::memcpy(other.link_address, first.link_address, sizeof(other.link_address));
        if (!alike(first, other))
            return left(first.state == other.state && first.state == service::left ? first.why
                                                                                   : left_reason::by_source);
    }
    return first;
}

} // namespace vestibule
