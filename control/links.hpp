// The interfaces of this network namespace, and how they stand on each other.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "abi/answer.hpp"
#include "control/netlink.hpp"
#include "engine/segment.hpp"

namespace vestibule {

using link_address = std::array<u8, 6>;

struct link {
    u32 index = 0;
    std::string name;
    std::string kind; // "veth", "vlan", "bridge", ...; empty for hardware
    link_address address{};
    u32 lower = 0;  // vlan, macvlan: the interface it stands on, in this namespace
    u32 master = 0; // the bridge or bond it is a port of
    u32 mtu = 0;
    u16 vlan = 0; // a vlan interface's identifier
    bool up = false;
    bool loopback = false;
    bool ethernet = false; // its frames have Ethernet headers
};

class link_table {
public:
    explicit link_table(netlink& route);

    [[nodiscard]] const link* by_index(u32 index) const;
    [[nodiscard]] const link* by_name(const std::string& name) const;
    // Whether frames sent on `upper` leave through `lower` (the same interface, a vlan on it, the bridge it is a port of).
    [[nodiscard]] bool leads_to(u32 upper, u32 lower) const { return tags_between(upper, lower).has_value(); }
    // The VLAN identifiers that these frames carry then; empty: they do not, or have more than two.
    [[nodiscard]] std::optional<tags> tags_between(u32 upper, u32 lower) const;
    // Where frames really leave: up, not loopback, nothing below them.
    [[nodiscard]] std::vector<u32> bottoms() const;
    [[nodiscard]] const std::vector<link>& all() const { return links_; }
    [[nodiscard]] bool has_vlan_on(u32 index) const;

private:
    std::vector<link> links_;
};

} // namespace vestibule
