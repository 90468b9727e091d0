// On whose behalf to ask: peers as they may come to one endpoint, with a way back that is known.
#pragma once

#include <vector>

#include "control/neighbourhood.hpp"

namespace vestibule {

struct source {
    address ip;
    link_address link;    // of the peer, or of the gateway that its segments come through
    link_address station; // of this host, as that peer addresses it
};

class source_finder {
public:
    explicit source_finder(netlink& route);

    // Sources to sample for `where`: neighbours, public addresses through the gateway, and `asking`, the peer that made us
    // ask, when there is one. Only those whose answer would leave by where.ifindex. Empty: nobody is known yet.
    [[nodiscard]] std::vector<source> for_endpoint(const endpoint& where, const source* asking);

    [[nodiscard]] const link_table& links() const { return links_; }

private:
    [[nodiscard]] std::optional<source> reachable(const address& ip, const endpoint& where, const source* asking);
    [[nodiscard]] const neighbour* known(const address& ip, u32 ifindex) const;

    netlink& route_;
    link_table links_;
    std::vector<neighbour> neighbours_;
    std::vector<local_address> locals_;
};

} // namespace vestibule
