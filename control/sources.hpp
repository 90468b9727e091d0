// On whose behalf to ask: peers as they may come to one endpoint, with a way back that is known.
#pragma once

#include <map>
#include <vector>

#include "control/neighbourhood.hpp"

namespace vestibule {

struct source {
    address ip;
    link_address link;    // of the peer, or of the gateway that its segments come through
    link_address station; // of this host, as that peer addresses it
    bool stranger;        // an address out of the blue, not that of a peer known to be there
};

// Three of each family's public address space, drawn at random: whoever could guess them could have the packet filter ban
// them. No frame that bears them ever leaves this machine.
std::vector<address> draw_strangers();

class source_finder {
public:
    source_finder(netlink& route, std::vector<address> strangers);

    // Sources to sample for `where`: first the strangers, through the gateway, then neighbours. Where neither can be asked,
    // `asking`, the peer that made us ask, if one did: its address may be anybody's invention, so it has no say beside
    // others. Only those whose answer would leave by where.ifindex. Empty: nobody is known yet.
    [[nodiscard]] std::vector<source> for_endpoint(const endpoint& where, const source* asking);

    [[nodiscard]] const link_table& links() const { return links_; }

private:
    [[nodiscard]] std::vector<source> neighbours_of(const endpoint& where);
    [[nodiscard]] std::optional<source> reachable(const address& ip, const endpoint& where, const source* asking);
    [[nodiscard]] std::optional<way_back> way(const address& ip, const address& local);
    [[nodiscard]] const neighbour* known(const address& ip, u32 ifindex) const;

    netlink& route_;
    link_table links_;
    std::vector<neighbour> neighbours_;
    std::vector<local_address> locals_;
    std::vector<address> strangers_;
    std::map<address, std::map<address, std::optional<way_back>, address_order>, address_order> ways_; // local, peer
};

} // namespace vestibule
