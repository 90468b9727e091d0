// The listening TCP sockets of this network namespace, as sock_diag tells them.
#pragma once

#include <map>
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

// False where the kernel has no sock_diag for TCP: its modules are not there, or may not be loaded.
bool sockets_can_be_listed(netlink& diagnosis);

// Throws failure where the list does not come whole, as all that list do.
std::vector<listening> listening_sockets(netlink& diagnosis);

// Whether the socket would be found for that local address.
bool covers(const listening& l, const address& local);

// Those whose accept queue is full.
std::vector<listening> full_ones(std::vector<listening> all);

// Listeners by their ports.
class listener_index {
public:
    explicit listener_index(const std::vector<listening>& all);
    [[nodiscard]] bool any_at(const address& local, be16 port) const;
    [[nodiscard]] std::vector<be16> ports_at(const address& local) const;

private:
    std::map<be16, std::vector<listening>> by_port_;
};

} // namespace vestibule
