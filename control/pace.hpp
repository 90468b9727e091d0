// How much of the time may go into asking where changes never end: a fifth in the long run. Some work is granted in
// advance, so that a few changes in a row show at once.
#pragma once

#include <algorithm>
#include <chrono>

namespace vestibule {

class pace {
public:
    using clock = std::chrono::steady_clock;
    static constexpr int time_to_work = 5;
    static constexpr std::chrono::milliseconds advance{500}; // of work

    // So much was done, until now.
    void worked(clock::duration work, clock::time_point now) {
        paid_off_ = std::max(paid_off_, now - work) + work * time_to_work;
    }
    // How long to rest before there is more to do.
    [[nodiscard]] clock::duration rest(clock::time_point now) const {
        return std::max(paid_off_ - advance * time_to_work - now, clock::duration::zero());
    }

private:
    clock::time_point paid_off_; // by then, everything done so far is
};

} // namespace vestibule
