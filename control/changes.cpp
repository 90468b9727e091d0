#include "control/changes.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

#include "control/legacy_tables.hpp"

namespace vestibule {

namespace {

constexpr std::array<unsigned, 7> route_groups = {RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                                  RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
                                                  RTNLGRP_IPV6_RULE};
constexpr std::array<unsigned, 1> filter_groups = {NFNLGRP_NFTABLES};
constexpr std::array<unsigned, 1> neighbour_groups = {RTNLGRP_NEIGH};

// sysctls that a SYN-ACK, or the fate of a completing segment, depends on.
constexpr std::array quiet_files = {
    "/proc/sys/net/ipv4/tcp_rmem",
    "/proc/sys/net/core/rmem_max",
    "/proc/sys/net/ipv4/tcp_sack",
    "/proc/sys/net/ipv4/tcp_timestamps",
    "/proc/sys/net/ipv4/tcp_window_scaling",
    "/proc/sys/net/ipv4/tcp_ecn",
    "/proc/sys/net/ipv4/tcp_adv_win_scale",
    "/proc/sys/net/ipv4/tcp_workaround_signed_windows",
    "/proc/sys/net/ipv4/tcp_reflect_tos",
    "/proc/sys/net/ipv4/tcp_syncookies",
    "/proc/sys/net/ipv4/ip_default_ttl",
    "/proc/sys/net/ipv4/ip_no_pmtu_disc",
    "/proc/sys/net/ipv6/auto_flowlabels",
    "/proc/sys/net/ipv4/conf/all/rp_filter",
    "/proc/sys/net/netfilter/nf_conntrack_tcp_loose",
    "/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal",
};

std::string contents(const std::string& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

// Of the nftables ruleset, as the kernel counts it; empty where there is none.
std::string generation(netlink& filter) {
    std::string found;
    request r((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN, 0);
    r.extra<nfgenmsg>().version = NFNETLINK_V0;
    filter.ask(r.header(), [&](const nlmsghdr& m) {
        if (const nlattr* id = attribute<nfgenmsg>(m, NFTA_GEN_ID))
            found = std::to_string(mnl_attr_get_u32(id));
    });
    return found;
}

} // namespace

changes::changes()
    : route_(NETLINK_ROUTE, route_groups), filter_(NETLINK_NETFILTER, filter_groups),
      neighbours_(NETLINK_ROUTE, neighbour_groups), files_(quiet_files.begin(), quiet_files.end()),
      quiet_(fingerprint()) {}

void changes::heed(const std::string& interface) {
    files_.push_back("/proc/sys/net/ipv4/conf/" + interface + "/rp_filter");
    files_.push_back("/proc/sys/net/ipv6/conf/" + interface + "/hop_limit");
    quiet_ = fingerprint();
}

std::size_t changes::fingerprint() {
    std::string all = legacy_rules() + generation(filter_asked_) + '\n';
    for (const std::string& file : files_)
        all += contents(file) + '\n';
    return std::hash<std::string>{}(all);
}

bool changes::poll_quiet() {
    const std::size_t before = std::exchange(quiet_, fingerprint());
    return quiet_ != before;
}

} // namespace vestibule
