// What "in time" means, exactly, in one place. A completing segment (the first that the peer sends behind its SYN: the
// sequence number follows the SYN, the acknowledgment the cookie of a SYN-ACK that it took) is in time where it meets a
// handoff for which all of this holds, as DESIGN.md promises it:
//
//   key      its keys come from the same secret, and the cookie was made in its epoch or the one before;
//   age      where timestamps are in force, its clock stands 0 to 60 s behind the moment that is echoed (an echo of
//            zero tells none);
//   promise  where window scaling is in force, the scale promised is the one on file, or was until a minute ago; a
//            minute begins anew where the other promise (with timestamps, or without) changes within it.
//
// A handoff that is not there promises nothing. Neither does one that finds a half-open connection of the stack's own:
// where a SYN comes again while the adaptor stops, the stack answers it too, and resets who acknowledges the first
// answer. Whoever is in time is admitted, but for what the plain kernel too would drop and the peer repeat: a full
// accept queue, a listener that waits for data.
#pragma once

#include "test/sim/scenario.hpp"

namespace vestibule::test {

// The window scale promised to peers with (or without) timestamps, and the one before.
struct shift_on_file {
    u8 present = 7;
    u8 former = 7;
    u64 former_until_ms = 0; // clock of the adaptor
};

// A SYN-ACK: what it said, and when and under which keys.
struct birth {
    u32 cookie;
    u32 timestamp;
    u8 shift;
    bool scaled;
    bool sack;
    bool stamped;
    bool ecn;
    u64 secret; // number of the secret that the keys come from
    u64 epoch;
    u64 clock_ms; // of the adaptor that sent it
    u32 adaptor;
};

// Where a handoff stands when a segment meets it.
struct handoff_moment {
    bool present;
    u64 secret;
    u64 epoch;
    u64 clock_ms;
    shift_on_file with_timestamps;
    shift_on_file without_timestamps;
};

namespace rules {

constexpr i64 longest_handshake_ms = 60'000;
constexpr u64 former_promise_ms = 60'000;

inline bool key_lives(const birth& b, const handoff_moment& m) {
    return b.secret == m.secret && (b.epoch == m.epoch || b.epoch + 1 == m.epoch);
}

// The SYN-ACK tells where the clock of that pair of addresses stood; the echo may be of that or of a later moment.
inline bool young(const birth& b, u32 echo, const handoff_moment& m) {
    const i64 echoed_ms = static_cast<i64>(b.clock_ms) + static_cast<int>(echo - b.timestamp);
    const i64 age_ms = static_cast<i64>(m.clock_ms) - echoed_ms;
    return !b.stamped || echo == 0 || (age_ms >= 0 && age_ms <= longest_handshake_ms);
}

inline bool promise_stands(const birth& b, const handoff_moment& m) {
    const shift_on_file& s = b.stamped ? m.with_timestamps : m.without_timestamps;
    return !b.scaled || b.shift == s.present || (b.shift == s.former && m.clock_ms < s.former_until_ms);
}

// A later segment than the completing one, with such an echo, is dropped for the peer to send again, never reset. The
// clock's offset for a pair of addresses comes from the secret too.
inline bool known_by_its_echo(const birth& b, u32 echo, const handoff_moment& m) {
    return b.stamped && echo != 0 && b.secret == m.secret && young(b, echo, m);
}

inline bool in_time(const birth& b, u32 echo, const handoff_moment& m) {
    return m.present && key_lives(b, m) && young(b, echo, m) && promise_stands(b, m);
}

} // namespace rules
} // namespace vestibule::test
