// Listeners for which the host's stack refused what it was handed, and when each gets one more chance: after a change of the
// packet filter, which may have mended it; but where it did not, each next chance is longer in coming. Some packet filters
// change several times a second, and every chance costs peers.
#pragma once

#include <map>

#include "control/answer_book.hpp"

namespace vestibule {

class refusals {
public:
    static constexpr u64 first_wait_ms = 10'000;
    static constexpr u64 longest_wait_ms = 3'600'000;

    // The stack refused. False: once, because the packet filter has just changed, and the next rehearsal tells what to do.
    bool is_final(const endpoint& where, bool filter_just_changed, u64 now_ms);
    void filter_changed();
    // Whether a listener that was given up gets one more chance now.
    [[nodiscard]] bool may_try_again(const endpoint& where, u64 now_ms) const;

private:
    struct record {
        u64 last_ms = 0;
        unsigned finals = 0;
        bool excused = false;
        bool changed = false; // the packet filter has, since it was given up
    };
    [[nodiscard]] static u64 wait_ms(const record& r);

    std::map<endpoint, record, endpoint_order> records_;
};

} // namespace vestibule
