// How long DESIGN.md promises to wait for a peer, by true time and by nothing that an adaptor knows: no key, no epoch, no
// clock of its own. rules.hpp says exactly who is admitted and who is not, but in the engine's own terms; an engine, a
// keyring and rules that were wrong alike would be seen here.
//
//   prompt     the segment comes within 60 s of the SYN-ACK, and within the time from one key to the next, less the tenth
//              of a second that a daemon takes to look at the wall clock: a key lives for two rotations, so a cookie of
//              its last moment for one;
//   disturbed  between the two a clock was set, keys were lost, or a second change of promises came; or they were of two
//              adaptors, one of which no daemon kept in step;
//   apart      the two were of different adaptors. They must agree where their clocks do.
//
// Who is prompt, and neither disturbed nor apart, is admitted.
#pragma once

#include <algorithm>

#include "test/sim/packet.hpp"
#include "test/sim/rules.hpp"

namespace vestibule::test::patience {

constexpr i64 longest_handshake_ms = 60'000;
constexpr i64 looked_at_every_ms = 100;

inline bool prompt(const birth& b, const handoff_moment& m) {
    return m.at_ms - b.at_ms <= std::min(longest_handshake_ms, m.rotation_ms - looked_at_every_ms);
}

inline bool disturbed(const birth& b, const handoff_moment& m) {
    const i64 last_ms = b.stamped ? m.last.with_timestamps_ms : m.last.without_timestamps_ms;
    return b.at_ms <= last_ms || (b.adaptor != m.adaptor && (b.alone || m.alone));
}

// Why a segment may be turned away; cause::in_time: it may not.
inline cause excuse(const birth& b, const handoff_moment& m) {
    if (!prompt(b, m))
        return cause::late;
    if (disturbed(b, m))
        return cause::disturbed;
    return b.adaptor != m.adaptor ? cause::apart : cause::in_time;
}

// Nobody is waited for longer than two rotations, but where no daemon renewed the keys.
inline bool overdue(const birth& b, const handoff_moment& m) {
    const bool renewed = !b.alone && !m.alone && !disturbed(b, m);
    return renewed && b.adaptor == m.adaptor && m.at_ms - b.at_ms > 2 * m.rotation_ms + looked_at_every_ms;
}

} // namespace vestibule::test::patience
