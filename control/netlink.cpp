#include "control/netlink.hpp"

#include <cerrno>
#include <cstring>

#include "control/failure.hpp"

namespace vestibule {

namespace {

// Of the message that ends an answer; 0: the kernel has none.
int objection_in(const nlmsghdr& last) {
    return mnl_nlmsg_get_payload_len(&last) < sizeof(int) ? 0 : -*static_cast<const int*>(mnl_nlmsg_get_payload(&last));
}

} // namespace

netlink::netlink(int bus, std::span<const unsigned> groups) : socket_(mnl_socket_open2(bus, SOCK_CLOEXEC)) {
    if (socket_ == nullptr || mnl_socket_bind(socket_, 0, MNL_SOCKET_AUTOPID) != 0)
        fail("cannot talk to the kernel over netlink: {}", std::strerror(errno));
    for (unsigned group : groups) // a kernel without that subsystem has nothing to tell of it
        mnl_socket_setsockopt(socket_, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
}

netlink::~netlink() {
    mnl_socket_close(socket_);
}

int netlink::descriptor() const {
    return mnl_socket_get_fd(socket_);
}

bool netlink::ask(nlmsghdr& request, const message_handler& each) {
    request.nlmsg_seq = ++sequence_;
    if (mnl_socket_sendto(socket_, &request, request.nlmsg_len) < 0)
        return false;
    const bool many = (request.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    std::vector<char> buffer(65536);
    std::optional<int> objection;
    while (!objection) {
        const ssize_t size = mnl_socket_recvfrom(socket_, buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return false;
        objection = read({buffer.data(), static_cast<std::size_t>(size)}, many, each);
    }
    errno = *objection;
    return errno == 0;
}

void netlink::list(nlmsghdr& request, const char* what, const message_handler& each) {
    if (!ask(request, each) && errno != EAFNOSUPPORT && errno != EOPNOTSUPP)
        fail("the kernel's list of {} did not come: {}", what, std::strerror(errno));
}

// What an earlier question left behind is passed over: one that was given up in the midst must not shift all answers after
// it. A table that changed while it was read (NLM_F_DUMP_INTR) is read to its end: the change is announced, and then
// everything is read again.
std::optional<int> netlink::read(std::span<const char> part, bool many, const message_handler& each) const {
    auto left = static_cast<int>(part.size());
    for (const auto* m = reinterpret_cast<const nlmsghdr*>(part.data()); mnl_nlmsg_ok(m, left);
         m = mnl_nlmsg_next(m, &left)) {
        if (m->nlmsg_seq != sequence_)
            continue;
        if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR)
            return objection_in(*m);
        each(*m);
        if (!many)
            return 0;
    }
    return std::nullopt;
}

bool netlink::drain() {
    std::vector<char> buffer(65536);
    bool any = false;
    while (recv(descriptor(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
        any = true;
    return any;
}

} // namespace vestibule
