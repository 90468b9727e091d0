// The frames of a rehearsal: SYNs of every class of offer, the RST behind each, and stray ACKs.
#pragma once

#include <vector>

#include "abi/rehearsal.hpp"
#include "control/sources.hpp"

namespace vestibule {

// The classes of offer that can change a stack's answer.
enum class offer_class : u8 { everything, no_timestamps, accecn };
constexpr u8 offer_classes = 3;

// The AccECN offer comes with this traffic class, all others with none: a host may reflect it. It has asked routers for low
// delay since RFC 791, so no packet filter minds it.
constexpr u8 marked_class = 0x10;

// The offer without timestamps is marked ECN-capable, as DCTCP marks its own (RFC 8257): ECN is then agreed to only where the
// congestion control needs it.
constexpr u8 ecn_capable = 0x02;

// Our frames come from these ports; they say what was asked when the answer is overheard. Above those that Linux peers
// use, and others for each rehearsal: connection tracking remembers the last one for some seconds.
constexpr u16 first_port = 61000;
constexpr u16 last_port = 64999;

struct disguise {
    u32 token; // the sequence number of our SYNs and ACKs
    u16 port;  // the first of ports_for_one

    [[nodiscard]] u16 offer_port(offer_class kind) const { return static_cast<u16>(port + static_cast<u16>(kind)); }
    [[nodiscard]] u16 ack_port(bool untracked) const {
        return static_cast<u16>(port + offer_classes + (untracked ? 1 : 0));
    }
};
constexpr u16 ports_for_one = offer_classes + 2;

struct cue {
    endpoint where;
    source from;
};

// The SYN of that class.
rehearsal_frame offer_frame(const cue& c, offer_class kind, const disguise& d);
// The RST that clears what the SYN left behind. `cautious`: only where the stack was just heard to agree to that SYN.
rehearsal_frame clearing_frame(const cue& c, offer_class kind, const disguise& d, bool cautious);
// A segment as one that completes a handshake would come. `untracked`: the handoff is to mark it.
rehearsal_frame stray_ack_frame(const cue& c, bool untracked, const disguise& d);

} // namespace vestibule
