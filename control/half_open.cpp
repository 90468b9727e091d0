#include "control/half_open.hpp"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <spdlog/spdlog.h>

#include "control/failure.hpp"
#include "control/text.hpp"

namespace vestibule {

namespace {

inet_diag_req_v2& put_question(request& r, u8 family) {
    auto& q = r.extra<inet_diag_req_v2>();
    q.sdiag_family = family;
    q.sdiag_protocol = IPPROTO_TCP;
    q.idiag_states = 1U << TCP_SYN_RECV;
    return q;
}

std::array<be32, 4> words_of(const address& a) {
    return {a.word[0], a.word[1], a.word[2], a.word[3]};
}

} // namespace

half_open::half_open(netlink& diagnosis, const std::vector<cue>& asked, const disguise& ours, bool translated)
    : diagnosis_(diagnosis), ours_(ours), translated_(translated) {
    for (const cue& c : asked)
        asked_.insert(ends_of(c.from.ip, c.where.local, c.where.port));
}

half_open::~half_open() {
    try {
        destroy(AF_INET);
        destroy(AF_INET6);
    } catch (const failure& f) {
        spdlog::warn("half-open connections of a rehearsal may be left: {}", f.what());
    }
}

half_open::ends half_open::ends_of(const address& peer, const address& local, be16 port) const {
    return translated_ ? ends{words_of(peer), {}, {}} : ends{words_of(peer), words_of(local), port};
}

bool half_open::is_ours(const inet_diag_msg& d) const {
    const u16 port = host(be16{d.id.idiag_dport});
    const address peer = address_from(d.idiag_family, d.id.idiag_dst);
    const address local = address_from(d.idiag_family, d.id.idiag_src);
    return port >= ours_.port && port < ours_.port + ports_for_one &&
           asked_.contains(ends_of(peer, local, be16{d.id.idiag_sport}));
}

void half_open::destroy(u8 family) const {
    std::vector<inet_diag_sockid> found;
    request all(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    put_question(all, family);
    diagnosis_.list(all.header(), "half-open connections", [&](const nlmsghdr& m) {
        const auto* d = static_cast<const inet_diag_msg*>(mnl_nlmsg_get_payload(&m));
        if (is_ours(*d))
            found.push_back(d->id);
    });
    for (const inet_diag_sockid& id : found) {
        request r(SOCK_DESTROY, NLM_F_ACK);
        put_question(r, family).id = id;
        diagnosis_.ask(r.header(), [](const nlmsghdr&) {});
    }
}

} // namespace vestibule
