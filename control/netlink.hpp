// Asking the kernel over netlink: one request, every message of its answer.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include <libmnl/libmnl.h>

#include "control/descriptor.hpp"

namespace vestibule {

using message_handler = std::function<void(const nlmsghdr&)>;

class netlink {
public:
    // `bus` is NETLINK_ROUTE, NETLINK_SOCK_DIAG, ...; `groups` are multicast groups to listen to.
    explicit netlink(int bus, std::span<const unsigned> groups = {});
    ~netlink();
    netlink(const netlink&) = delete;
    netlink& operator=(const netlink&) = delete;

    [[nodiscard]] int descriptor() const;

    // Sends `request` (sequence number filled in here) and hands over each message of the answer.
    // False: the kernel answered with an error; errno says which.
    bool ask(nlmsghdr& request, const message_handler& each);

    // The same for a listing, of what `what` says: failure is thrown where it did not come, or not whole. An empty one means
    // that there are none, or that this kernel has none to list.
    void list(nlmsghdr& request, const char* what, const message_handler& each);

    // Takes what has arrived on the multicast groups; true if there was anything. Never blocks.
    bool drain();

private:
    // One datagram of an answer. What ended it: 0, or the kernel's objection (errno); nothing: there is more to come.
    [[nodiscard]] std::optional<int> read(std::span<const char> part, bool many, const message_handler& each) const;

    mnl_socket* socket_;
    unsigned sequence_ = 0;
};

// A request under construction, with room for its attributes.
class request {
public:
    request(u_int16_t type, u_int16_t flags) : head_(mnl_nlmsg_put_header(buffer_.data())) {
        head_->nlmsg_type = type;
        head_->nlmsg_flags = static_cast<u_int16_t>(NLM_F_REQUEST | flags);
    }
    template <class Payload>
    Payload& extra() {
        return *static_cast<Payload*>(mnl_nlmsg_put_extra_header(head_, sizeof(Payload)));
    }
    nlmsghdr& header() { return *head_; }

private:
    std::vector<char> buffer_ = std::vector<char>(2048);
    nlmsghdr* head_;
};

// Calls `each` for every attribute in the `size` bytes from `first` on.
template <class Each>
void for_each_attribute(const void* first, std::size_t size, Each each) {
    auto left = static_cast<int>(size);
    const auto* a = static_cast<const nlattr*>(first);
    while (mnl_attr_ok(a, left)) {
        each(*a);
        left -= MNL_ALIGN(a->nla_len);
        a = mnl_attr_next(a);
    }
}

// The attribute of that type behind a payload of Payload; null: absent.
template <class Payload>
const nlattr* attribute(const nlmsghdr& message, unsigned type) {
    const nlattr* found = nullptr;
    const auto* first = mnl_nlmsg_get_payload_offset(&message, sizeof(Payload));
    const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(&message));
    for_each_attribute(first, static_cast<std::size_t>(end - static_cast<const char*>(first)), [&](const nlattr& a) {
        if (mnl_attr_get_type(&a) == type)
            found = &a;
    });
    return found;
}

// Calls `each` for every attribute nested in `outer`.
template <class Each>
void for_each_nested(const nlattr& outer, Each each) {
    for_each_attribute(mnl_attr_get_payload(&outer), mnl_attr_get_payload_len(&outer), each);
}

} // namespace vestibule
