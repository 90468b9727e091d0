#include "control/routes.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "control/text.hpp"

namespace vestibule {

namespace {

constexpr u32 mapped_bits = 96;

u32 number(const nlattr* a) {
    return a != nullptr ? mnl_attr_get_u32(a) : 0;
}

template <class Payload>
const Payload& head_of(const nlmsghdr& message) {
    return *static_cast<const Payload*>(mnl_nlmsg_get_payload(&message));
}

bool has_any(const nlmsghdr& message, std::initializer_list<unsigned> types) {
    return std::any_of(types.begin(), types.end(),
                       [&](unsigned type) { return attribute<rtmsg>(message, type) != nullptr; });
}

// Whether the message speaks of a route that peers' addresses are looked up in.
bool concerns_peers(const nlmsghdr& m) {
    const auto& head = head_of<rtmsg>(m);
    const bool inet = head.rtm_family == AF_INET || head.rtm_family == AF_INET6;
    const bool ours = head.rtm_type == RTN_LOCAL || head.rtm_type == RTN_BROADCAST || head.rtm_type == RTN_ANYCAST ||
                      head.rtm_type == RTN_MULTICAST;
    const bool idle = (head.rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD)) != 0;
    return inet && !ours && !idle && number(attribute<rtmsg>(m, RTA_TABLE)) == RT_TABLE_MAIN;
}

route read_route(const nlmsghdr& m) {
    const auto& head = head_of<rtmsg>(m);
    route r{};
    if (head.rtm_family == AF_INET)
        r.to.word[2] = mapped_prefix;
    if (const nlattr* to = attribute<rtmsg>(m, RTA_DST))
        r.to = address_from(head.rtm_family, mnl_attr_get_payload(to));
    r.length = head.rtm_dst_len + (head.rtm_family == AF_INET ? mapped_bits : 0);
    r.metric = number(attribute<rtmsg>(m, RTA_PRIORITY));
    r.ifindex = number(attribute<rtmsg>(m, RTA_OIF));
    r.gateway = gateway_of(m);
    r.plain = head.rtm_type == RTN_UNICAST && head.rtm_tos == 0 && head.rtm_src_len == 0 && r.ifindex != 0 &&
              !has_any(m, {RTA_MULTIPATH, RTA_ENCAP});
    return r;
}

// Routes of one prefix: that of the least metric is taken. Where two have it, IPv4 takes the first, and of IPv6 nobody can
// tell; but a link-local address belongs to its link.
class taken_routes {
public:
    void add(const route& r) {
        const u32 link = is_link_local(r.to) ? r.ifindex : 0;
        const auto [at, first] = taken_.try_emplace({text(r.to), r.length, link}, r);
        route& before = at->second;
        if (r.metric < before.metric)
            before = r;
        else if (!first && r.metric == before.metric && !is_v4_prefix(r))
            before.plain = false;
    }
    [[nodiscard]] std::vector<route> all() const {
        std::vector<route> out;
        out.reserve(taken_.size());
        for (const auto& [prefix, r] : taken_)
            out.push_back(r);
        return out;
    }

private:
    std::map<std::tuple<std::string, u32, u32>, route> taken_;
};

// local, main and default, as the kernel makes them.
bool is_kernels_own(const nlmsghdr& m) {
    constexpr std::array<std::pair<u32, u32>, 3> own{
        {{0, RT_TABLE_LOCAL}, {32766, RT_TABLE_MAIN}, {32767, RT_TABLE_DEFAULT}}};
    const auto& head = head_of<fib_rule_hdr>(m);
    const std::pair<u32, u32> said{number(attribute<fib_rule_hdr>(m, FRA_PRIORITY)),
                                   number(attribute<fib_rule_hdr>(m, FRA_TABLE))};
    const bool conditional = head.src_len != 0 || head.dst_len != 0 || head.tos != 0 || head.flags != 0 ||
                             attribute<fib_rule_hdr>(m, FRA_FWMARK) != nullptr ||
                             attribute<fib_rule_hdr>(m, FRA_IIFNAME) != nullptr ||
                             attribute<fib_rule_hdr>(m, FRA_OIFNAME) != nullptr;
    return head.action == FR_ACT_TO_TBL && !conditional && std::find(own.begin(), own.end(), said) != own.end();
}

bool is_ruled(netlink& kernel, int family) {
    bool ruled = false;
    request r(RTM_GETRULE, NLM_F_DUMP);
    r.extra<fib_rule_hdr>().family = static_cast<unsigned char>(family);
    kernel.list(r.header(), "policy rules", [&](const nlmsghdr& m) { ruled |= !is_kernels_own(m); });
    return ruled;
}

} // namespace

std::optional<address> gateway_of(const nlmsghdr& message) {
    if (const nlattr* via = attribute<rtmsg>(message, RTA_VIA)) { // IPv4 route by an IPv6 gateway
        const auto* v = static_cast<const rtvia*>(mnl_attr_get_payload(via));
        return address_from(v->rtvia_family, v->rtvia_addr);
    }
    if (const nlattr* gateway = attribute<rtmsg>(message, RTA_GATEWAY))
        return address_from(head_of<rtmsg>(message).rtm_family, mnl_attr_get_payload(gateway));
    return std::nullopt;
}

routing read_routing(netlink& kernel) {
    taken_routes taken;
    request r(RTM_GETROUTE, NLM_F_DUMP);
    r.extra<rtmsg>().rtm_family = AF_UNSPEC;
    kernel.list(r.header(), "routes", [&](const nlmsghdr& m) {
        if (concerns_peers(m))
            taken.add(read_route(m));
    });
    return {taken.all(), is_ruled(kernel, AF_INET), is_ruled(kernel, AF_INET6)};
}

} // namespace vestibule
