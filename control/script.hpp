// The frames of a rehearsal: SYNs of every class of offer, the RST behind each, and stray ACKs.
#pragma once

#include <vector>

#include "bpf/rehearsal.hpp"
#include "control/sources.hpp"

namespace vestibule {

// The classes of offer that can change a stack's answer.
enum class offer_class : u8 { everything, no_timestamps, accecn };
constexpr u8 offer_classes = 3;

// Ports that our frames come from; they say what was asked when the answer is overheard.
constexpr u16 first_offer_port = 61001;
constexpr u16 tracked_ack_port = 61011;
constexpr u16 untracked_ack_port = 61012;

struct cue {
    endpoint where;
    source from;
};

// The SYN of that class; its sequence number is the token.
rehearsal_frame offer_frame(const cue& c, offer_class kind, u32 token);
// The RST that clears what the SYN left behind.
rehearsal_frame clearing_frame(const cue& c, offer_class kind, u32 token);
// A segment as one that completes a handshake would come. `untracked`: the handoff is to mark it.
rehearsal_frame stray_ack_frame(const cue& c, bool untracked, u32 token);

} // namespace vestibule
