// Rehearsal: for each endpoint, what the host's own stack answers to peers as they may come, found by asking it.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "control/overheard.hpp"
#include "control/programs.hpp"
#include "control/script.hpp"

namespace vestibule {

struct question {
    endpoint where;
    std::optional<source> asking; // the peer whose SYN made us ask
};

struct finding {
    endpoint where;
    answer result; // without its times
};

class rehearsal {
public:
    rehearsal(const programs& loaded, netlink& route, u32 token);

    // Asks for all of them, blocking for some tens of milliseconds; nothing leaves the machine, nothing stays behind.
    // `nat`: the namespace has NAT rules, so the handoff must run untracked.
    std::vector<finding> perform(std::span<const question> questions, bool nat);

private:
    struct scene;

    void play(const scene& s, u32 ifindex);
    std::vector<utterance> listen();

    const programs& programs_;
    netlink& route_;
    u32 token_;
    std::unique_ptr<ring_buffer, void (*)(ring_buffer*)> ring_;
    std::vector<utterance> heard_;
};

} // namespace vestibule
