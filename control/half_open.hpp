// Half-open connections that a rehearsal could not clear with its RST, because the packet filter takes no RSTs, or because it
// ended in the midst. Left alone, the stack would repeat its SYN-ACK after the egress hook is gone.
#pragma once

#include <array>
#include <set>
#include <tuple>
#include <vector>

#include "control/script.hpp"

struct inet_diag_msg;

namespace vestibule {

// Of one performance: at its end they are destroyed, and no peer's own are.
class half_open {
public:
    // `translated`: NAT may have led the performance's SYNs to other local ends than those asked.
    half_open(netlink& diagnosis, const std::vector<cue>& asked, const disguise& ours, bool translated);
    ~half_open();
    half_open(const half_open&) = delete;
    half_open& operator=(const half_open&) = delete;

private:
    using words = std::array<be32, 4>;
    using ends = std::tuple<words, words, be16>; // peer, local, local port

    [[nodiscard]] ends ends_of(const address& peer, const address& local, be16 port) const;
    [[nodiscard]] bool is_ours(const inet_diag_msg& d) const;
    void destroy(u8 family) const;

    netlink& diagnosis_;
    disguise ours_;
    bool translated_;
    std::set<ends> asked_;
};

} // namespace vestibule
