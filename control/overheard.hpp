// What the host's stack wanted to say in a rehearsal, read out of the frames it did not get to send.
#pragma once

#include <optional>

#include "abi/rehearsal.hpp"
#include "engine/options.hpp"

namespace vestibule {

enum class speech : u8 {
    agrees,  // a SYN-ACK
    resets,  // an RST
    rejects, // an ICMP error
};

struct utterance {
    speech kind;
    u32 ifindex;     // where it would have left
    tags vlan;       // and with which tags
    u32 socket_port; // local port of the socket that spoke; 0: none known
    bool tracked;    // by connection tracking
    segment said;    // of an ICMP error: addresses and ports as an answer to the packet quoted would have them
    offer options;   // agrees
    u8 hop_limit;
    u8 traffic_class;
    bool dont_fragment;
    bool flow_label;
};

utterance understand(overheard& o);

} // namespace vestibule
