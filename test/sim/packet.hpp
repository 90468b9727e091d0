// A frame under way, and what only the simulation knows of it: who really sent it, and what it is.
#pragma once

#include "test/support/bytes.hpp"

namespace vestibule::test {

constexpr u32 nobody = ~0U;

enum class sender : u8 { peer, guesser, replayer, host };

// Why the host resets a segment.
enum class cause : u8 {
    none,
    in_time,   // it completes a handshake, and in time: must not be
    late,      // it completes one, but not in time any more (patience.hpp)
    disturbed, // it would have been in time, but clocks, keys or promises have changed under it
    apart,     // it would have been in time for the adaptor that sent the SYN-ACK
    overtaken, // it does not: what does came later, or was lost; and no timestamp shows whose it is
    gone,      // the programs were not there, what the stack knew was lost, it conducts a handshake of its own, or what
               // was handed over found the accept queue full
    provoked,  // an attacker's segment was reset, and the reset fits the peer
};

struct packet {
    bytes frame{};
    u32 peer = nobody; // from or to whom
    sender from = sender::peer;
    bool completing = false; // the first segment behind the SYN
    bool data = false;
    u32 cookie = 0; // acknowledged
    u32 echo = 0;   // TSecr
    cause reset = cause::none;
};

} // namespace vestibule::test
