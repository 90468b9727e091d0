#include "control/verdict.hpp"

#include <algorithm>
#include <cstring>

namespace vestibule {

namespace {

std::array<be32, 4> words(const address& a) {
    return {a.word[0], a.word[1], a.word[2], a.word[3]};
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

// Of a SYN cookie, which has no room for options: the listener would agree to them nevertheless.
promise promise_from_cookie(const utterance& u, const promise& with_timestamps) {
    promise p = with_timestamps;
    p.window = u.said.window;
    p.mss = static_cast<u16>(u.options.mss);
    p.allows = static_cast<u8>(p.allows & ~allows_timestamps);
    return p;
}

// ECN apart: the SYN that `u` answers was marked ECN-capable itself.
promise promise_without_timestamps(const utterance& u, const promise& with_timestamps) {
    if (u.socket_port == 0)
        return promise_from_cookie(u, with_timestamps);
    promise p = promise_from(u);
    p.allows = static_cast<u8>((p.allows & ~allows_ecn) | (with_timestamps.allows & allows_ecn));
    return p;
}

answer left(left_reason why) {
    answer a{};
    a.state = service::left;
    a.why = why;
    return a;
}

bool agrees(const utterance* u) {
    return u != nullptr && u->kind == speech::agrees;
}

// Whether the DSCP of the SYN that `marked` answers came back in it, and not in `a`, the answer to one without.
bool reflects(const answer& a, const utterance* marked) {
    constexpr u8 ecn_bits = 3;
    return agrees(marked) && marked->traffic_class != a.traffic_class &&
           marked->traffic_class == (marked_class | (a.traffic_class & ecn_bits));
}

bool resets(const utterance* u) {
    return u != nullptr && u->kind == speech::resets;
}

bool leaves_as_it_came(const evidence& e, const utterance& u, const endpoint& where) {
    return e.links.leads_to(u.ifindex, where.ifindex) && u.vlan.outer == where.outer_vlan &&
           u.vlan.inner == where.inner_vlan;
}

// Empty: the stack itself would conduct this source's handshake, on a socket that we can hand over to.
std::optional<left_reason> objection(const evidence& e, const utterance* u, const cue& c) {
    if (u == nullptr || u->kind == speech::rejects)
        return left_reason::no_answer;
    if (u->kind == speech::resets)
        return left_reason::refused;
    if (u->socket_port == 0 && e.nat) // a SYN cookie: the stack does not say which socket spoke
        return left_reason::flooded;
    if (u->socket_port != 0 && u->socket_port != host(c.where.port))
        return left_reason::translated;
    if (!leaves_as_it_came(e, *u, c.where))
        return left_reason::other_interface;
    return std::nullopt;
}

answer answer_from(const utterance& u, const cue& c) {
    answer a{};
    a.state = service::served;
    a.with_timestamps = promise_from(u);
    std::memcpy(a.link_address, c.from.station.data(), sizeof(a.link_address));
    a.hop_limit = u.hop_limit;
    a.traffic_class = u.traffic_class;
    a.dont_fragment = u.dont_fragment;
    a.flow_label = u.flow_label;
    return a;
}

answer judge_attempt_of(const evidence& e, const cue& c) {
    if (c.where.inner_vlan != 0) // kernel: bpf_sk_assign_tcp_reqsk, which looks at the first type behind one tag
        return left(left_reason::two_tags);
    const utterance* u = e.said.reply_to(c, e.ours.offer_port(offer_class::everything));
    if (const auto why = objection(e, u, c))
        return left(*why);
    return answer_from(*u, c);
}

// Whether a completing segment would reach TCP, and in which form it must be handed over.
std::optional<left_reason> completion_objection(const evidence& e, const cue& c) {
    if (!resets(e.said.reply_to(c, e.ours.ack_port(false)))) // data segments are tracked in either form
        return left_reason::completion_filtered;
    if (e.nat && !e.markable)
        return left_reason::unmarkable;
    if (e.nat && !resets(e.said.reply_to(c, e.ours.ack_port(true))))
        return left_reason::untracked_filtered;
    return std::nullopt;
}

// The reset of a stray ACK is known to connection tracking where the ACK was.
bool tracks(const evidence& e, const std::vector<cue>& cues) {
    return std::any_of(cues.begin(), cues.end(), [&](const cue& c) {
        const utterance* reset = e.said.reply_to(c, e.ours.ack_port(false));
        return reset != nullptr && reset->tracked;
    });
}

bool alike(const answer& a, const answer& b) {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
}

} // namespace

void transcript::add(const std::vector<utterance>& heard) {
    for (const utterance& u : heard)
        said_[{words(u.said.source), words(u.said.destination), u.said.source_port, host(u.said.destination_port)}] = u;
}

const utterance* transcript::reply_to(const cue& c, u16 our_port) const {
    const auto it = said_.find({words(c.where.local), words(c.from.ip), c.where.port, our_port});
    return it == said_.end() ? nullptr : &it->second;
}

answer judge_attempts(const evidence& e, const std::vector<cue>& cues) {
    const answer first = judge_attempt_of(e, cues.front());
    for (const cue& c : cues) {
        answer other = judge_attempt_of(e, c);
        if (other.why == left_reason::flooded)
            return other;
        std::memcpy(other.link_address, first.link_address, sizeof(other.link_address));
        if (!alike(first, other))
            return left(first.state == other.state && first.state == service::left ? first.why
                                                                                   : left_reason::by_source);
    }
    return first;
}

answer judge(const evidence& e, const std::vector<cue>& cues) {
    answer a = judge_attempts(e, cues);
    if (a.state == service::left)
        return a;
    for (const cue& c : cues)
        if (const auto why = completion_objection(e, c))
            return left(*why);
    const utterance* plain = e.said.reply_to(cues.front(), e.ours.offer_port(offer_class::no_timestamps));
    const utterance* accecn = e.said.reply_to(cues.front(), e.ours.offer_port(offer_class::accecn));
    if (!agrees(plain) || plain->traffic_class != a.traffic_class)
        return left(left_reason::odd_answer);
    a.without_timestamps = promise_without_timestamps(*plain, a.with_timestamps);
    a.ecn_despite_ect = has(plain->said, wire::ece);
    if (a.ecn_despite_ect != 0 && !e.ecn)
        return left(left_reason::ecn_lost);
    a.classic_ecn_for_accecn = agrees(accecn) && !accecn->said.accurate && !has(accecn->said, wire::cwr);
    a.reflects_dscp = reflects(a, accecn);
    a.form = e.nat ? handoff_form::untracked : handoff_form::tracked;
    a.tracked = tracks(e, cues);
    return a;
}

} // namespace vestibule
