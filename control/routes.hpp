// The host's routes: its main table, and whether that is all there is to its routing.
#pragma once

#include <optional>
#include <vector>

#include "abi/address.hpp"
#include "control/netlink.hpp"

namespace vestibule {

// The one that is taken for its prefix.
struct route {
    address to;
    u32 length; // of the prefix, in bits, IPv4 as ::ffff:0:0/96
    u32 metric;
    bool plain; // by one interface and at most one gateway, for all traffic alike; else it leads anywhere or nowhere
    u32 ifindex;
    std::optional<address> gateway;
};

struct routing {
    std::vector<route> routes;
    bool v4_ruled =
        false; // there are policy rules besides the kernel's own three: the main table does not tell the way
    bool v6_ruled = false;
};

routing read_routing(netlink& kernel);

// Of a message that describes a route; empty: the peers are on the link.
std::optional<address> gateway_of(const nlmsghdr& message);

inline bool is_v4_prefix(const route& r) {
    return is_v4(r.to) && r.length >= 96;
}
inline bool is_default(const route& r) {
    return r.length == (is_v4_prefix(r) ? 96 : 0);
}
inline bool is_link_local(const address& a) {
    return !is_v4(a) && (host(a.word[0]) >> 22) == (0xfe800000U >> 22);
}

} // namespace vestibule
