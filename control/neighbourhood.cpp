#include "control/neighbourhood.hpp"

#include <cerrno>
#include <cstring>

#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "control/failure.hpp"
#include "control/routes.hpp"
#include "control/text.hpp"

namespace vestibule {

namespace {

void put_address(nlmsghdr& message, u_int16_t type, const address& a) {
    if (is_v4(a))
        mnl_attr_put(&message, type, 4, &a.word[3]);
    else
        mnl_attr_put(&message, type, 16, a.word);
}

bool usable(u16 state) {
    return (state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)) != 0;
}

} // namespace

std::vector<local_address> local_addresses(netlink& route) {
    std::vector<local_address> out;
    request r(RTM_GETADDR, NLM_F_DUMP);
    r.extra<ifaddrmsg>().ifa_family = AF_UNSPEC;
    route.list(r.header(), "addresses", [&](const nlmsghdr& m) {
        const auto* head = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&m));
        const nlattr* a = attribute<ifaddrmsg>(m, IFA_LOCAL);
        if (a == nullptr)
            a = attribute<ifaddrmsg>(m, IFA_ADDRESS);
        if (a != nullptr)
            out.push_back({address_from(head->ifa_family, mnl_attr_get_payload(a)), head->ifa_index,
                           head->ifa_scope == RT_SCOPE_LINK});
    });
    return out;
}

bool is_local(netlink& route, const address& a) {
    bool local = false;
    request r(RTM_GETROUTE, 0);
    auto& head = r.extra<rtmsg>();
    head.rtm_family = static_cast<unsigned char>(family_of(a));
    head.rtm_dst_len = is_v4(a) ? 32 : 128;
    put_address(r.header(), RTA_DST, a);
    const bool routed = route.ask(r.header(), [&](const nlmsghdr& m) {
        const auto type = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&m))->rtm_type;
        local = type == RTN_LOCAL || type == RTN_ANYCAST;
    });
    if (!routed && (errno == ENOBUFS || errno == ENOMEM))
        fail("the kernel did not say whether {} is its own: {}", text(a), std::strerror(errno));
    return local;
}

std::vector<neighbour> neighbours(netlink& route) {
    std::vector<neighbour> out;
    request r(RTM_GETNEIGH, NLM_F_DUMP);
    r.extra<ndmsg>().ndm_family = AF_UNSPEC;
    route.list(r.header(), "neighbours", [&](const nlmsghdr& m) {
        const auto* head = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(&m));
        const nlattr* ip = attribute<ndmsg>(m, NDA_DST);
        const nlattr* at = attribute<ndmsg>(m, NDA_LLADDR);
        const bool inet = head->ndm_family == AF_INET || head->ndm_family == AF_INET6;
        if (!inet || ip == nullptr || at == nullptr || mnl_attr_get_payload_len(at) != 6 || !usable(head->ndm_state))
            return;
        neighbour n{address_from(head->ndm_family, mnl_attr_get_payload(ip)), static_cast<u32>(head->ndm_ifindex), {}};
        std::memcpy(n.link.data(), mnl_attr_get_payload(at), 6);
        out.push_back(n);
    });
    return out;
}

std::optional<way_back> route_to(netlink& route, const address& source, const address& local) {
    std::optional<way_back> out;
    request r(RTM_GETROUTE, 0);
    auto& head = r.extra<rtmsg>();
    head.rtm_family = static_cast<unsigned char>(family_of(source));
    head.rtm_dst_len = is_v4(source) ? 32 : 128;
    head.rtm_src_len = head.rtm_dst_len;
    put_address(r.header(), RTA_DST, source);
    put_address(r.header(), RTA_SRC, local);
    route.ask(r.header(), [&](const nlmsghdr& m) {
        const auto* found = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&m));
        const nlattr* oif = attribute<rtmsg>(m, RTA_OIF);
        if (found->rtm_type != RTN_UNICAST || oif == nullptr)
            return;
        out = way_back{mnl_attr_get_u32(oif), gateway_of(m).value_or(source)};
    });
    return out;
}

} // namespace vestibule
