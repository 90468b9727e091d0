// The completing segment: what becomes of an ACK at the handoff (RFC 9293 section 3.10.7.3, seen from the side that
// answered without keeping anything).
#pragma once

#include "abi/established.hpp"
#include "engine/attempt.hpp"

namespace vestibule {

namespace completions {

constexpr u32 longest_handshake_ms = 60'000; // kernel: MAX_SYNCOOKIE_AGE
static_assert(longest_handshake_ms <= usual_key_epoch_seconds * 1000, "a handshake may outlive its key");

// How long ago we sent the timestamp that the peer echoes; out of range: never, or too long ago.
ENGINE bool young(u32 clock_now, u32 echoed) {
    return clock_now - echoed <= longest_handshake_ms;
}

// The cookie holds for the promise on file or, for a while after it changed, for the one before.
ENGINE bool cookie_holds(const segment& s, const answer& a, const promise& p, const circumstances& c, memo& m,
                         u8& shift) {
    shift = p.shift;
    const u32 packed =
        ((s.acknowledgment - 1) ^ ((s.acknowledgment - 1) >> (32 - cookies::mac_bits))) & cookies::memo_mask;
    const bool scaled = cookies::unpack(packed).shift != no_shift;
    if (check_cookie(c.keys, s, scaled ? shift : u8{0}, m))
        return true;
    if (!scaled || p.former_shift == p.shift || c.now_ms > a.former_until_ms)
        return false;
    shift = p.former_shift;
    return check_cookie(c.keys, s, shift, m);
}

ENGINE u16 mss_for(const segment& s, const memo& m, const listener& l) {
    const u16 offered = cookies::mss_of(s.v6, m.mss_index);
    const u16 least = s.v6 ? mss_v6.size[0] : mss_v4.size[0];
    const u16 most = l.most_mss < least ? least : l.most_mss;
    return l.most_mss != 0 && most < offered ? most : offered;
}

// `clock_now` is where the local timestamp clock stands; null: timestamps are not in force.
ENGINE established record(const segment& s, const offer& o, const memo& m, u8 shift, u16 mss, const u32* clock_now) {
    established e{};
    e.peer = s.source;
    e.local = s.destination;
    e.peer_port = s.source_port;
    e.local_port = s.destination_port;
    e.peer_isn = s.sequence - 1;
    e.local_isn = s.acknowledgment - 1;
    if (clock_now != nullptr) {
        e.timestamps = 1;
        e.timestamp_now = *clock_now;
        e.peer_timestamp = o.timestamp;
    }
    e.mss = mss;
    e.window_scale = m.shift != no_shift;
    e.peer_shift = e.window_scale != 0 ? m.shift : u8{0};
    e.local_shift = e.window_scale != 0 ? shift : u8{0};
    e.sack = m.sack;
    e.ecn = m.ecn;
    return e;
}

} // namespace completions

// What becomes of `s`, a segment with options `o` that no connection of the host claims. With action::admit, `e` is the record to hand over.
template <class Host>
ENGINE outcome judge_completion(const segment& s, const offer& o, const listener& l, const circumstances& c, Host& port,
                                established& e) {
    using namespace completions;
    using attempts::passed;
    if (!has(s, wire::ack) || has_any(s, wire::syn | wire::rst) || s.fragmented)
        return passed(reason::not_a_completion);
    const answer* a = port.answer_for(local_end(s, c.ifindex));
    if (a == nullptr || a->state != service::served)
        return passed(reason::not_served);
    const bool timestamps = offers(o, offers_timestamps) && attempts::agrees(a->with_timestamps, allows_timestamps);
    const promise& p = attempts::promise_for(*a, timestamps);
    const u32 clock_now = timestamps ? timestamp_clock(c.keys.clock, s, c.now_ms) : 0;
    const bool fresh = timestamps && young(clock_now, o.timestamp_echo);
    const bool untold = !timestamps || o.timestamp_echo == 0; // how old the handshake is: the key alone bounds it then
    memo m{};
    u8 shift = 0;
    if ((!fresh && !untold) || !cookie_holds(s, *a, p, c, m, shift))
        return fresh ? attempts::dropped(reason::first_segments_lost) : passed(reason::cookie_invalid);
    if (l.waits_for_data && s.payload_length == 0 && !has(s, wire::fin)) // a FIN says that none will come
        return attempts::dropped(reason::accept_deferred);
    e = record(s, o, m, shift, mss_for(s, m, l), timestamps ? &clock_now : nullptr);
    return {action::admit, reason::admitted};
}

} // namespace vestibule
