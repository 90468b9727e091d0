// Everything that can change what the host's stack would answer, apart from its sockets: packet filter, routes, links,
// addresses, neighbours, sysctls. One question is asked of it: did anything change?
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "control/netlink.hpp"

namespace vestibule {

class changes {
public:
    changes();

    // Some sysctls are the interface's own.
    void heed(const std::string& interface);

    // Readable when something changed.
    [[nodiscard]] int route_descriptor() const { return route_.descriptor(); }
    [[nodiscard]] int filter_descriptor() const { return filter_.descriptor(); }
    [[nodiscard]] int neighbour_descriptor() const { return neighbours_.descriptor(); }
    bool drain_routes() { return route_.drain(); }
    bool drain_filter() { return filter_.drain(); }
    bool drain_neighbours() { return neighbours_.drain(); }

    // Whether something changed that announces nothing, or whose announcement was lost: to be asked several times a second.
    bool poll_quiet();

private:
    netlink route_;
    netlink filter_;
    netlink neighbours_;
    netlink filter_asked_{NETLINK_NETFILTER};
    std::vector<std::string> files_;
    std::size_t quiet_;

    std::size_t fingerprint();
};

} // namespace vestibule
