#include "control/half_open.hpp"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <vector>

namespace vestibule {

namespace {

inet_diag_req_v2& put_question(request& r, u8 family) {
    auto& q = r.extra<inet_diag_req_v2>();
    q.sdiag_family = family;
    q.sdiag_protocol = IPPROTO_TCP;
    q.idiag_states = 1U << TCP_SYN_RECV;
    return q;
}

std::vector<inet_diag_sockid> find(netlink& diagnosis, u8 family, u16 first, u16 last) {
    std::vector<inet_diag_sockid> out;
    request r(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    put_question(r, family);
    diagnosis.ask(r.header(), [&](const nlmsghdr& m) {
        const auto* d = static_cast<const inet_diag_msg*>(mnl_nlmsg_get_payload(&m));
        const u16 port = host(be16{d->id.idiag_dport});
        if (port >= first && port <= last)
            out.push_back(d->id);
    });
    return out;
}

} // namespace

void destroy_half_open(netlink& diagnosis, u16 first, u16 last) {
    for (const u8 family : {u8{AF_INET}, u8{AF_INET6}})
        for (const inet_diag_sockid& id : find(diagnosis, family, first, last)) {
            request r(SOCK_DESTROY, NLM_F_ACK);
            put_question(r, family).id = id;
            diagnosis.ask(r.header(), [](const nlmsghdr&) {});
        }
}

} // namespace vestibule
