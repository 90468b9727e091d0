#include "control/links.hpp"

#include <algorithm>
#include <cstring>

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

namespace vestibule {

namespace {

u32 number(const nlattr* a) {
    return a != nullptr ? mnl_attr_get_u32(a) : 0;
}

void read_vlan(const nlattr& data, link& l) {
    for_each_nested(data, [&](const nlattr& a) {
        if (mnl_attr_get_type(&a) == IFLA_VLAN_ID)
            l.vlan = mnl_attr_get_u16(&a);
    });
}

void read_kind(const nlattr& info, link& l) {
    for_each_nested(info, [&](const nlattr& a) {
        if (mnl_attr_get_type(&a) == IFLA_INFO_KIND)
            l.kind = mnl_attr_get_str(&a);
        if (mnl_attr_get_type(&a) == IFLA_INFO_DATA && l.kind == "vlan")
            read_vlan(a, l);
    });
}

link read_link(const nlmsghdr& message) {
    const auto* head = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
    link l;
    l.index = static_cast<u32>(head->ifi_index);
    l.up = (head->ifi_flags & IFF_UP) != 0;
    l.loopback = (head->ifi_flags & IFF_LOOPBACK) != 0;
    l.ethernet = head->ifi_type == ARPHRD_ETHER;
    if (const nlattr* a = attribute<ifinfomsg>(message, IFLA_IFNAME))
        l.name = mnl_attr_get_str(a);
    if (const nlattr* a = attribute<ifinfomsg>(message, IFLA_ADDRESS); a && mnl_attr_get_payload_len(a) == 6)
        std::memcpy(l.address.data(), mnl_attr_get_payload(a), 6);
    if (const nlattr* a = attribute<ifinfomsg>(message, IFLA_LINKINFO))
        read_kind(*a, l);
    const bool elsewhere = attribute<ifinfomsg>(message, IFLA_LINK_NETNSID) != nullptr;
    l.lower = elsewhere || l.kind == "veth" ? 0 : number(attribute<ifinfomsg>(message, IFLA_LINK));
    l.master = number(attribute<ifinfomsg>(message, IFLA_MASTER));
    l.mtu = number(attribute<ifinfomsg>(message, IFLA_MTU));
    return l;
}

} // namespace

link_table::link_table(netlink& route) {
    request r(RTM_GETLINK, NLM_F_DUMP);
    r.extra<ifinfomsg>().ifi_family = AF_UNSPEC;
    route.list(r.header(), "interfaces", [this](const nlmsghdr& m) { links_.push_back(read_link(m)); });
}

const link* link_table::by_index(u32 index) const {
    const auto it = std::find_if(links_.begin(), links_.end(), [&](const link& l) { return l.index == index; });
    return it == links_.end() ? nullptr : &*it;
}

const link* link_table::by_name(const std::string& name) const {
    const auto it = std::find_if(links_.begin(), links_.end(), [&](const link& l) { return l.name == name; });
    return it == links_.end() ? nullptr : &*it;
}

std::optional<tags> link_table::tags_between(u32 upper, u32 lower) const {
    constexpr int deepest = 4;
    const link* below = by_index(lower);
    tags found{};
    for (int i = 0; i < deepest && upper != 0; ++i) {
        if (upper == lower || (below != nullptr && below->master == upper))
            return found;
        const link* at = by_index(upper);
        upper = at != nullptr && at->lower != upper ? at->lower : 0;
        if (at == nullptr || at->kind != "vlan")
            continue;
        if (found.inner != 0)
            return std::nullopt;
        found = {at->vlan, found.outer};
    }
    return std::nullopt;
}

std::vector<u32> link_table::bottoms() const {
    std::vector<u32> out;
    for (const link& l : links_) {
        const bool master =
            std::any_of(links_.begin(), links_.end(), [&](const link& p) { return p.master == l.index; });
        if (l.up && !l.loopback && l.lower == 0 && !master)
            out.push_back(l.index);
    }
    return out;
}

bool link_table::has_vlan_on(u32 index) const {
    return std::any_of(links_.begin(), links_.end(),
                       [&](const link& l) { return l.kind == "vlan" && l.lower == index; });
}

} // namespace vestibule
