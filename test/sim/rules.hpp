// What "in time" means, exactly, in one place. A completing segment (the first that the peer sends behind its SYN: the
// sequence number follows the SYN, the acknowledgment the cookie of a SYN-ACK that it took) is in time where it meets a
// handoff for which all of this holds, as DESIGN.md promises it:
//
//   key      it still has the key that the cookie was made with;
//   age      where timestamps are in force, its clock stands 0 to 60 s behind the moment that is echoed (an echo of
//            zero tells none);
//   promise  where window scaling is in force, the scale promised is the one on file, or was until a minute ago; a
//            minute begins anew where the other promise (with timestamps, or without) changes within it.
//
// A handoff that is not there promises nothing. Neither does one that finds a half-open connection of the stack's own:
// where a SYN comes again while the adaptor stops, the stack answers it too, and resets who acknowledges the first
// answer. Whoever is in time is admitted, but for what the plain kernel too would drop and the peer repeat: a full
// accept queue, a listener that waits for data. Nobody else is.
//
// This knows keys and clocks as the engine does; patience.hpp judges without them.
#pragma once

#include "abi/keys.hpp"
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
    secret_key key;
    secret_key clock_key;
    u64 clock_ms; // of the adaptor that sent it
    u32 adaptor;
    i64 at_ms;  // true time
    bool alone; // that adaptor's keys were not those of the hour: no daemon renewed them, or it kept a former one's
};

// True time of the last event that DESIGN.md does not promise handshakes to outlive, for those with timestamps and those
// without.
struct upheaval {
    i64 with_timestamps_ms = -1;
    i64 without_timestamps_ms = -1;
};

// Where a handoff stands when a segment meets it.
struct handoff_moment {
    bool present;
    key_ring keys;
    u64 clock_ms;
    shift_on_file with_timestamps;
    shift_on_file without_timestamps;
    u32 adaptor;
    i64 at_ms;
    i64 rotation_ms;
    bool alone;
    upheaval last;
};

namespace rules {

constexpr i64 longest_handshake_ms = 60'000;
constexpr u64 former_promise_ms = 60'000;

inline bool same(const secret_key& a, const secret_key& b) {
    return a.low == b.low && a.high == b.high;
}

inline bool key_lives(const birth& b, const handoff_moment& m) {
    return same(b.key, m.keys.cookie[0]) || same(b.key, m.keys.cookie[1]);
}

// The SYN-ACK tells where the clock of that pair of addresses stood; the echo may be of that or of a later moment.
inline bool young(const birth& b, u32 echo, const handoff_moment& m) {
    const i64 echoed_ms = static_cast<i64>(b.clock_ms) + static_cast<int>(echo - b.timestamp);
    const i64 age_ms = static_cast<i64>(m.clock_ms) - echoed_ms;
    return !b.stamped || echo == 0 || (age_ms >= 0 && age_ms <= longest_handshake_ms);
}

inline bool on_file(bool stamped, u8 shift, const handoff_moment& m) {
    const shift_on_file& s = stamped ? m.with_timestamps : m.without_timestamps;
    return shift == s.present || (shift == s.former && m.clock_ms <= s.former_until_ms);
}

inline bool promise_stands(const birth& b, const handoff_moment& m) {
    return !b.scaled || on_file(b.stamped, b.shift, m);
}

// A later segment than the completing one, with such an echo, is dropped for the peer to send again, never reset. The
// clock's offset for a pair of addresses comes from the secret too.
inline bool known_by_its_echo(const birth& b, u32 echo, const handoff_moment& m) {
    return b.stamped && echo != 0 && same(b.clock_key, m.keys.clock) && young(b, echo, m);
}

inline bool in_time(const birth& b, u32 echo, const handoff_moment& m) {
    return m.present && key_lives(b, m) && young(b, echo, m) && promise_stands(b, m);
}

} // namespace rules
} // namespace vestibule::test
