#include "control/changes.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

namespace vestibule {

namespace {

constexpr std::array<unsigned, 7> route_groups = {RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                                  RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
                                                  RTNLGRP_IPV6_RULE};
constexpr std::array<unsigned, 1> filter_groups = {NFNLGRP_NFTABLES};

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
    "/proc/sys/net/ipv4/conf/all/rp_filter",
    "/proc/sys/net/netfilter/nf_conntrack_tcp_loose",
    "/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal",
    "/proc/self/net/ip_tables_names",
    "/proc/self/net/ip6_tables_names",
};

std::string contents(const char* file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::size_t fingerprint() {
    std::string all;
    for (const char* file : quiet_files)
        all += contents(file) + '\n';
    return std::hash<std::string>{}(all);
}

// The older iptables announces nothing and shows nothing: where its tables are in use, every second may have changed them.
bool legacy_tables_in_use() {
    return !contents("/proc/self/net/ip_tables_names").empty() || !contents("/proc/self/net/ip6_tables_names").empty();
}

} // namespace

changes::changes()
    : route_(NETLINK_ROUTE, route_groups), filter_(NETLINK_NETFILTER, filter_groups), quiet_(fingerprint()) {}

bool changes::drain() {
    const bool route = route_.drain();
    const bool filter = filter_.drain();
    return route || filter;
}

bool changes::poll_quiet() {
    const std::size_t before = std::exchange(quiet_, fingerprint());
    return quiet_ != before || legacy_tables_in_use();
}

} // namespace vestibule
