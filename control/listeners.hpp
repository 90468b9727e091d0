// The listening TCP sockets of this network namespace, as sock_diag tells them.
#pragma once

#include <vector>

#include "abi/answer.hpp"
#include "control/netlink.hpp"

namespace vestibule {

struct listening {
    address local; // all zero, or ::ffff:0.0.0.0: any
    be16 port;
    bool v6; // an IPv6 socket: it may take IPv4 too
    bool v6_only;
    bool queue_full;
};

std::vector<listening> listening_sockets(netlink& diagnosis);

// Whether the socket would be found for that local address.
bool covers(const listening& l, const address& local);

} // namespace vestibule
