// The ways back: where the host's stack sends what it has for a peer, as its routes and neighbours say. Written by the
// control process, looked up by the adaptor for SYNs that do not come by the way that strangers' answers take. Shared
// through a BPF map, longest prefix first: aggregates only.
#pragma once

#include "abi/answer.hpp"

namespace vestibule {

// To which peers, and for SYNs that come how: the interface that frames arrive on, and their VLAN identifiers.
struct way_key {
    u32 prefix_length; // in bits, of all that follows
    u32 ifindex;
    u16 outer_vlan;
    u16 inner_vlan;
    address peer;
};
static_assert(sizeof(way_key) == 28);

constexpr u32 way_key_lead = 64; // bits before the peer's address

enum class way_kind : u8 {
    unknown,
    elsewhere,  // by another interface or VLAN, to nobody, or to a station not known yet
    on_link,    // to the peer itself
    by_station, // to this one
};

struct way {
    u8 station[6];
    way_kind kind;
    u8 zero;
};
static_assert(sizeof(way) == 8);

} // namespace vestibule
