// A connection attempt: what becomes of a SYN (RFC 9293 section 3.10.7.2, and the rules that keep an adaptor honest: it
// says only what the host was seen to say, and what it cannot say rightly it leaves to the host).
#pragma once

#include "engine/cookie.hpp"
#include "engine/host.hpp"
#include "engine/outcome.hpp"
#include "engine/parse.hpp"
#include "engine/synack.hpp"

namespace vestibule {

namespace attempts {

// Addresses that no connection can have (RFC 1122 sections 3.2.1.3 and 4.2.3.10; RFC 4291 sections 2.5.2, 2.5.3, 2.7).
// 240.0.0.0/4 is not among them: it is reserved, but Linux routes it and some sites number their machines from it.
ENGINE bool impossible_v4(be32 a) {
    const u32 value = host(a);
    return value >> 24 == 0 || value >> 24 == 127 || value >> 28 == 14 || value == 0xffffffffU;
}
ENGINE bool impossible_v6(const address& a) {
    const bool low = a.word[0] == be32{} && a.word[1] == be32{} && a.word[2] == be32{};
    const bool unspecified_or_loopback = low && host(a.word[3]) <= 1;
    const bool multicast = host(a.word[0]) >> 24 == 0xff;
    return unspecified_or_loopback || multicast || is_v4(a);
}
ENGINE bool impossible(const segment& s) {
    if (s.v6)
        return impossible_v6(s.source) || impossible_v6(s.destination) || same(s.source, s.destination);
    const be32 from = s.source.word[3];
    const be32 to = s.destination.word[3];
    return impossible_v4(from) || impossible_v4(to) || from == to;
}

ENGINE bool to_link(const frame& f, const answer& a) {
    if (!fits(f.begin, 6, f.end))
        return false;
    u8 differs = 0;
    for (int i = 0; i < 6; ++i)
        differs |= f.begin[i] ^ a.link_address[i];
    return differs == 0;
}

ENGINE bool agrees(const promise& p, u8 option) {
    return (p.allows & option) != 0;
}

ENGINE const promise& promise_for(const answer& a, bool timestamps) {
    return timestamps ? a.with_timestamps : a.without_timestamps;
}

// ECN is offered by ECE and CWR together on a SYN that is not itself ECN-capable (RFC 3168 section 6.1.1).
ENGINE bool offers_ecn(const segment& s) {
    return has(s, wire::ece | wire::cwr) && s.ecn == 0;
}

ENGINE memo remember(const segment& s, const offer& o, const promise& p) {
    const bool scale = offers(o, offers_window_scale) && agrees(p, allows_window_scale);
    return {cookies::mss_index(s.v6, o.mss), scale ? static_cast<u8>(o.shift) : no_shift,
            offers(o, offers_sack) && agrees(p, allows_sack), offers_ecn(s) && agrees(p, allows_ecn)};
}

ENGINE synack compose(const segment& s, const offer& o, const answer& a, const circumstances& c) {
    const bool timestamps = offers(o, offers_timestamps) && agrees(a.with_timestamps, allows_timestamps);
    const promise& p = promise_for(a, timestamps);
    const memo m = remember(s, o, p);
    const bool scale = m.shift != no_shift;
    synack r{};
    r.isn = make_cookie(c.keys, s, m, scale ? p.shift : u8{0});
    r.acknowledgment = s.sequence + 1; // data on the SYN is not acknowledged: the peer sends it again
    r.timestamp = timestamps ? timestamp_clock(c.keys.clock, s, c.now_ms) : 0;
    r.timestamp_echo = o.timestamp;
    r.flow_label = a.flow_label != 0 ? r.isn >> 12 : 0;
    r.window = p.window;
    r.mss = p.mss;
    r.shift = p.shift;
    r.hop_limit = a.hop_limit;
    r.traffic_class = a.traffic_class;
    r.window_scale = scale;
    r.sack = m.sack;
    r.timestamps = timestamps;
    r.ecn = m.ecn;
    r.dont_fragment = a.dont_fragment != 0;
    return r;
}

ENGINE outcome passed(reason why) {
    return {action::pass, why};
}
ENGINE outcome dropped(reason why) {
    return {action::drop, why};
}

// What the listener itself has to say. action::reply: nothing against it.
ENGINE outcome judge_listener(const listener& l, const offer& o) {
    if (l.state == socket_state::absent)
        return passed(reason::no_listener);
    if (l.state == socket_state::connection)
        return passed(reason::existing_connection);
    if (l.multipath || offers(o, offers_join))
        return passed(reason::syn_multipath);
    if (l.demands_keys || offers(o, offers_signature))
        return passed(reason::syn_signed);
    if (l.fast_open && offers(o, offers_fast_open))
        return passed(reason::syn_fast_open);
    if (l.queue_full)
        return dropped(reason::accept_queue_full);
    return {action::reply, reason::syn_answered};
}

ENGINE outcome judge_answer(const frame& f, const segment& s, const offer& o, const answer& a) {
    if (a.state != service::served) // a listener that demands keys is one of these: its rehearsal has none
        return passed(offers(o, offers_signature) ? reason::syn_signed : reason::left_to_stack);
    if (!to_link(f, a))
        return passed(reason::other_station);
    if (s.fragmented)
        return dropped(reason::syn_fragment);
    if (s.accurate && has(s, wire::ece | wire::cwr) && a.classic_ecn_for_accecn == 0)
        return passed(reason::syn_accecn);
    return {action::reply, reason::syn_answered};
}

} // namespace attempts

// What becomes of a frame that holds no segment to judge; `how` is not shape::tcp. What the stack can judge, it gets.
ENGINE outcome judge_unread(shape how) {
    switch (how) {
    case shape::malformed:
        return attempts::passed(reason::syn_malformed);
    case shape::deep_headers:
        return attempts::dropped(reason::too_many_headers);
    case shape::deep_tags:
        return attempts::passed(reason::too_many_tags);
    default:
        return attempts::passed(reason::not_tcp);
    }
}

// What becomes of the segment `s` in `f`, with options `o`, at the adaptor. With action::reply, `r` is the SYN-ACK to send. With
// reason::no_answer_on_file the host has a listener, and the port should ask for a rehearsal.
template <class Host>
ENGINE outcome judge_attempt(const frame& f, const segment& s, const offer& o, const circumstances& c, Host& port,
                             synack& r) {
    using namespace attempts;
    if (!has(s, wire::syn) || has(s, wire::ack))
        return passed(reason::not_an_attempt);
    if (has_any(s, wire::rst | wire::fin))
        return dropped(reason::syn_with_rst_or_fin);
    if (impossible(s))
        return dropped(reason::bad_address);
    if (s.sequence == c.rehearsal_token)
        return passed(reason::rehearsal);
    if (!c.answering)
        return passed(reason::stopping);
    const answer* a = port.answer_for(local_end(s, c.ifindex));
    if (a == nullptr) {
        const outcome unasked = judge_listener(port.listener_for(s), o);
        return unasked.act == action::pass ? unasked : passed(reason::no_answer_on_file);
    }
    outcome judged = judge_answer(f, s, o, *a);
    if (judged.act == action::reply)
        judged = judge_listener(port.listener_for(s), o);
    if (judged.act == action::reply)
        r = compose(s, o, *a, c);
    return judged;
}

} // namespace vestibule
