#include "control/netlink.hpp"

#include <cerrno>
#include <cstring>

#include "control/failure.hpp"

namespace vestibule {

namespace {

int forward(const nlmsghdr* message, void* each) {
    (*static_cast<const message_handler*>(each))(*message);
    return MNL_CB_OK;
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
    std::vector<char> buffer(65536);
    for (;;) {
        const ssize_t size = mnl_socket_recvfrom(socket_, buffer.data(), buffer.size());
        if (size < 0)
            return false;
        auto* context = const_cast<message_handler*>(&each);
        const int more = mnl_cb_run(buffer.data(), static_cast<size_t>(size), sequence_, mnl_socket_get_portid(socket_),
                                    forward, context);
        const bool dump = (request.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
        if (more <= MNL_CB_STOP || !dump)
            return more >= MNL_CB_STOP;
    }
}

bool netlink::drain() {
    std::vector<char> buffer(65536);
    bool any = false;
    while (recv(descriptor(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
        any = true;
    return any;
}

} // namespace vestibule
