// The established record: the state of a connection whose handshake the adaptor conducted, as the host's stack needs it.
#pragma once

#include "abi/address.hpp"

namespace vestibule {

// Everything is in host byte order but addresses and ports. Options are those in force: offered by the peer and agreed to.
struct established {
    address peer;
    address local;
    be16 peer_port;
    be16 local_port;
    u32 peer_isn;      // IRS of RFC 9293
    u32 local_isn;     // ISS of RFC 9293: the cookie
    u32 timestamp_now; // the local timestamp clock at this moment, so that the echo of it yields the true round-trip time
    u32 peer_timestamp;
    u16 mss;         // what the peer can receive
    u8 peer_shift;   // SND.WIND.SHIFT, 0..14
    u8 local_shift;  // RCV.WIND.SHIFT, 0..14
    u8 window_scale; // the four below are 0 or 1
    u8 sack;
    u8 timestamps;
    u8 ecn;
};
static_assert(sizeof(established) == 60);

} // namespace vestibule
