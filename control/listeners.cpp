#include "control/listeners.hpp"

#include <algorithm>
#include <cstring>

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "control/text.hpp"

namespace vestibule {

namespace {

bool any(const address& a) {
    return a.word[0] == be32{} && a.word[1] == be32{} && a.word[3] == be32{} &&
           (a.word[2] == be32{} || a.word[2] == mapped_prefix);
}

listening read_socket(const nlmsghdr& message) {
    const auto* d = static_cast<const inet_diag_msg*>(mnl_nlmsg_get_payload(&message));
    listening l{};
    l.local = address_from(d->idiag_family, d->id.idiag_src);
    l.port = be16{d->id.idiag_sport};
    l.v6 = d->idiag_family == AF_INET6;
    if (const nlattr* a = attribute<inet_diag_msg>(message, INET_DIAG_SKV6ONLY))
        l.v6_only = mnl_attr_get_u8(a) != 0;
    l.queue_full = d->idiag_rqueue > d->idiag_wqueue;
    return l;
}

request listing_of(u8 family) {
    request r(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    auto& head = r.extra<inet_diag_req_v2>();
    head.sdiag_family = family;
    head.sdiag_protocol = IPPROTO_TCP;
    head.idiag_states = 1U << TCP_LISTEN;
    return r;
}

} // namespace

bool sockets_can_be_listed(netlink& diagnosis) {
    return diagnosis.ask(listing_of(AF_INET).header(), [](const nlmsghdr&) {});
}

std::vector<listening> listening_sockets(netlink& diagnosis) {
    std::vector<listening> out;
    for (const u8 family : {u8{AF_INET}, u8{AF_INET6}})
        diagnosis.list(listing_of(family).header(), "listening sockets",
                       [&](const nlmsghdr& m) { out.push_back(read_socket(m)); });
    return out;
}

bool covers(const listening& l, const address& local) {
    if (any(l.local))
        return is_v4(local) ? !l.v6_only : l.v6;
    return same(l.local, local);
}

std::vector<listening> full_ones(std::vector<listening> all) {
    std::erase_if(all, [](const listening& l) { return !l.queue_full; });
    return all;
}

listener_index::listener_index(const std::vector<listening>& all) {
    for (const listening& l : all)
        by_port_[l.port].push_back(l);
}

bool listener_index::any_at(const address& local, be16 port) const {
    const auto at = by_port_.find(port);
    return at != by_port_.end() &&
           std::any_of(at->second.begin(), at->second.end(), [&](const listening& l) { return covers(l, local); });
}

std::vector<be16> listener_index::ports_at(const address& local) const {
    std::vector<be16> out;
    for (const auto& [port, listeners] : by_port_)
        if (any_at(local, port))
            out.push_back(port);
    return out;
}

} // namespace vestibule
