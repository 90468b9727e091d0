// Who can be spoken for in a rehearsal: addresses of this host, its neighbours, and the way back to a source. What the kernel
// does not tell for want of memory is a failure, not an empty answer.
#pragma once

#include <cstring>
#include <optional>
#include <vector>

#include "control/links.hpp"

namespace vestibule {

struct address_order {
    bool operator()(const address& a, const address& b) const { return std::memcmp(&a, &b, sizeof(a)) < 0; }
};

struct local_address {
    address ip;
    u32 ifindex;
    bool link_local;
};

struct neighbour {
    address ip;
    u32 ifindex;
    link_address link;
};

// The way the host would take to `source` from `local`.
struct way_back {
    u32 ifindex;
    address next_hop;
};

std::vector<local_address> local_addresses(netlink& route);

// Whether the host takes packets for that address; not only those that an interface bears.
bool is_local(netlink& route, const address& a);

// Neighbours whose link address is known and not given up.
std::vector<neighbour> neighbours(netlink& route);

// Empty: no route, or one that discards.
std::optional<way_back> route_to(netlink& route, const address& source, const address& local);

} // namespace vestibule
