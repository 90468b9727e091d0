// What the rehearsal programs and the control process exchange: frames to inject, answers overheard.
#pragma once

#include "abi/address.hpp"

namespace vestibule {

constexpr u32 rehearsal_frame_bytes = 128;
constexpr u32 most_rehearsal_frames = 4096;
constexpr u32 overheard_bytes = 160;

// One frame to inject. The stack trims what lies behind the packet's own length. A frame that clears what an attempt left
// behind goes in only where the stack agreed to that attempt: elsewhere it would draw one more rejection. Any other goes in
// only where its 4-tuple is free: a connection that has it would send its peer an answer.
struct rehearsal_frame {
    u8 bytes[rehearsal_frame_bytes];
    address peer;
    address local;
    be16 peer_port;
    be16 local_port;
    u8 clears;   // 0 or 1
    u8 cautious; // 1: clears only where the stack was just heard to agree
    u16 zero;
};

// The attempt that the stack agreed to last.
struct agreement {
    address peer;
    be16 peer_port;
    u16 zero;
};

// Which frame is next; the injecting program runs once for each.
struct rehearsal_cursor {
    u32 next;
    u32 count;
};

// A packet that the host wanted to send in answer to a rehearsal, and did not get to.
struct overheard {
    u32 ifindex;     // where it would have left
    u32 length;      // bytes that stand in `bytes`
    u32 socket_port; // local port of the sending socket; 0: none known
    u32 vlan;        // identifier of the tag that would be added
    u32 tracked;     // 1: connection tracking knows it
    u8 bytes[overheard_bytes];
};

} // namespace vestibule
