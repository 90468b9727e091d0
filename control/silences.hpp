// Listeners that were served and fell silent. Where nothing explains it, a frame of the rehearsal may have been lost (under a
// flood, receive queues overflow): silence is believed when it was heard several times, over some seconds.
#pragma once

#include <map>
#include <vector>

#include "control/answer_book.hpp"

namespace vestibule {

class silences {
public:
    static constexpr int enough = 4;
    static constexpr u64 long_enough_ms = 2500;

    // It was silent once more. True: often and long enough, and no longer in doubt.
    bool confirmed(const endpoint& where, u64 now_ms);
    // It spoke, or is no more.
    void end(const endpoint& where) { doubts_.erase(where); }

    [[nodiscard]] bool doubted(const endpoint& where) const { return doubts_.contains(where); }
    [[nodiscard]] std::vector<endpoint> all_doubted() const;
    [[nodiscard]] bool empty() const { return doubts_.empty(); }

private:
    struct doubt {
        u64 since_ms;
        int times;
    };
    std::map<endpoint, doubt, endpoint_order> doubts_;
};

} // namespace vestibule
