#include "control/veth.hpp"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <optional>

namespace vestibule {

namespace {

struct other_end {
    u32 index;
    std::optional<u32> network; // identifier of its namespace; none: this one
};

std::optional<other_end> other_end_of(netlink& route, u32 index) {
    std::optional<other_end> found;
    request r(RTM_GETLINK, 0);
    r.extra<ifinfomsg>().ifi_index = static_cast<int>(index);
    route.ask(r.header(), [&](const nlmsghdr& m) {
        const nlattr* peer = attribute<ifinfomsg>(m, IFLA_LINK);
        const nlattr* network = attribute<ifinfomsg>(m, IFLA_LINK_NETNSID);
        if (peer == nullptr)
            return;
        found = other_end{mnl_attr_get_u32(peer), std::nullopt};
        if (network != nullptr)
            found->network = mnl_attr_get_u32(network);
    });
    return found;
}

bool attached(const nlattr& xdp) {
    bool any = false;
    for_each_nested(xdp, [&](const nlattr& a) {
        if (mnl_attr_get_type(&a) == IFLA_XDP_ATTACHED)
            any = mnl_attr_get_u8(&a) == XDP_ATTACHED_DRV || mnl_attr_get_u8(&a) == XDP_ATTACHED_MULTI;
    });
    return any;
}

} // namespace

bool replies_arrive(netlink& route, const link& where) {
    if (where.kind != "veth")
        return true;
    const auto end = other_end_of(route, where.index);
    if (!end)
        return false;
    bool takes = false;
    request r(RTM_GETLINK, 0);
    r.extra<ifinfomsg>().ifi_index = static_cast<int>(end->index);
    if (end->network)
        mnl_attr_put_u32(&r.header(), IFLA_TARGET_NETNSID, *end->network);
    route.ask(r.header(), [&](const nlmsghdr& m) {
        const nlattr* xdp = attribute<ifinfomsg>(m, IFLA_XDP);
        takes = xdp != nullptr && attached(*xdp);
    });
    return takes;
}

} // namespace vestibule
