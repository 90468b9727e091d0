// Everything that can change what the host's stack would answer, apart from its sockets: packet filter, routes, links,
// addresses, sysctls. One question is asked of it: did anything change?
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
    bool drain_routes() { return route_.drain(); }
    bool drain_filter() { return filter_.drain(); }

    // Whether something changed that announces nothing: to be asked every second or so.
    bool poll_quiet();

private:
    netlink route_;
    netlink filter_;
    std::vector<std::string> files_;
    std::size_t quiet_;

    [[nodiscard]] std::size_t fingerprint() const;
};

} // namespace vestibule
