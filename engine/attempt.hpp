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
    return wire::station_at(f.begin) == wire::station_at(a.link_address);
}

// Whether the SYN comes from the station to which the host's stack sends what it has for strangers.
ENGINE bool by_way_back(const frame& f, const answer& a) {
    if (!fits(f.begin, sizeof(wire::ethernet), f.end))
        return false;
    const u64 known = wire::station_at(a.way_back);
    return known != 0 && wire::station_at(f.begin + sizeof(a.link_address)) == known;
}

ENGINE bool agrees(const promise& p, u8 option) {
    return (p.allows & option) != 0;
}

ENGINE const promise& promise_for(const answer& a, bool timestamps) {
    return timestamps ? a.with_timestamps : a.without_timestamps;
}

// ECN is offered by ECE and CWR together on a SYN that is not itself ECN-capable (RFC 3168 section 6.1.1). A SYN of a later
// standard, which shows in bits that are reserved here, may be, and one to a host whose congestion control needs ECN, as
// DCTCP does (RFC 8257; kernel: tcp_ecn_create_request).
ENGINE bool offers_ecn(const segment& s, const answer& a) {
    return has(s, wire::ece | wire::cwr) && (s.ecn == 0 || s.accurate || s.reserved || a.ecn_despite_ect != 0);
}

// Accurate ECN is offered by AE, CWR and ECE together and, so that it may grow, by every other combination that is neither
// nothing nor ECN's (RFC 9768 section 3.1.2).
ENGINE bool offers_accurate_ecn(const segment& s) {
    const u8 classic = s.flags & (wire::ece | wire::cwr);
    return s.accurate || (classic != 0 && classic != (wire::ece | wire::cwr));
}

ENGINE memo remember(const segment& s, const offer& o, const answer& a, const promise& p) {
    const bool scale = offers(o, offers_window_scale) && agrees(p, allows_window_scale);
    return {cookies::mss_index(s.v6, o.mss), scale ? static_cast<u8>(o.shift) : no_shift,
            offers(o, offers_sack) && agrees(p, allows_sack), offers_ecn(s, a) && agrees(p, allows_ecn)};
}

// Where the host reflects it, the SYN's own DSCP (kernel: net.ipv4.tcp_reflect_tos); the ECN bits stay the listener's.
ENGINE u8 class_of(const segment& s, const answer& a) {
    constexpr u8 ecn_bits = 3;
    return a.reflects_dscp != 0 ? static_cast<u8>(s.dscp | (a.traffic_class & ecn_bits)) : a.traffic_class;
}

ENGINE synack compose(const segment& s, const offer& o, const answer& a, const circumstances& c) {
    const bool timestamps = offers(o, offers_timestamps) && agrees(a.with_timestamps, allows_timestamps);
    const promise& p = promise_for(a, timestamps);
    const memo m = remember(s, o, a, p);
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
    r.traffic_class = class_of(s, a);
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

constexpr outcome ready{action::reply, reason::syn_answered};

// A cookie, or the wish for one; or data at once, which a listener may take without either (kernel:
// TCP_FASTOPEN_NO_COOKIE).
ENGINE bool opens_fast(const segment& s, const offer& o) {
    return offers(o, offers_fast_open) || s.payload_length != 0;
}

// What the listener itself has to say. action::reply: nothing against it.
ENGINE outcome judge_listener(const listener& l, const segment& s, const offer& o) {
    if (l.state == socket_state::absent)
        return passed(reason::no_listener);
    if (l.state == socket_state::connection)
        return passed(reason::existing_connection);
    if (l.multipath)
        return passed(reason::syn_multipath);
    if (l.demands_keys || offers(o, offers_signature))
        return passed(reason::syn_signed);
    if (l.fast_open && opens_fast(s, o))
        return passed(reason::syn_fast_open);
    if (l.keeps_syns)
        return passed(reason::syn_kept);
    if (l.queue_full)
        return dropped(reason::accept_queue_full);
    return ready;
}

ENGINE outcome judge_answer(const frame& f, const segment& s, const offer& o, const answer& a) {
    if (a.state != service::served) // a listener that demands keys is one of these: its rehearsal has none
        return passed(offers(o, offers_signature) ? reason::syn_signed : reason::left_to_stack);
    if (!to_link(f, a))
        return passed(reason::other_station);
    if (s.fragmented)
        return dropped(reason::syn_fragment);
    if (offers(o, offers_nonsense)) // kernel: tcp_do_parse_auth_options
        return dropped(reason::syn_nonsense);
    if (offers_accurate_ecn(s) && a.classic_ecn_for_accecn == 0)
        return passed(reason::syn_accecn);
    return ready;
}

// The stack's SYN-ACK would take the way that its routes know, wherever the SYN came from; ours can take it by the same
// link only. `station` as in synack.
template <class Host>
ENGINE outcome choose_way(const frame& f, const segment& s, const answer& a, Host& port, u64& station) {
    if (by_way_back(f, a))
        return ready;
    const way w = port.way_for(s);
    if (w.kind == way_kind::by_station)
        station = wire::station_at(w.station);
    return w.kind == way_kind::by_station || w.kind == way_kind::on_link ? ready : passed(reason::other_way_back);
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
    case shape::routed:
        return attempts::passed(reason::source_route);
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
    if (const outcome first = a == nullptr ? ready : judge_answer(f, s, o, *a); first.act != action::reply)
        return first;
    const outcome judged = judge_listener(port.listener_for(s), s, o);
    if (a == nullptr)
        return judged.act == action::pass ? judged : passed(reason::no_answer_on_file);
    if (judged.act != action::reply)
        return judged;
    u64 station = 0;
    const outcome sent = choose_way(f, s, *a, port, station);
    if (sent.act == action::reply) {
        r = compose(s, o, *a, c);
        r.station = station;
    }
    return sent;
}

} // namespace vestibule
