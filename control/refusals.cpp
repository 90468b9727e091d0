#include "control/refusals.hpp"

#include <algorithm>

namespace vestibule {

namespace {

constexpr u64 remembered_ms = 4 * refusals::longest_wait_ms;

} // namespace

// After the first time, none.
u64 refusals::wait_ms(const record& r) {
    constexpr unsigned most_doublings = 16; // far beyond the longest
    return r.finals < 2 ? 0 : std::min(first_wait_ms << std::min(r.finals - 2, most_doublings), longest_wait_ms);
}

bool refusals::is_final(const endpoint& where, bool filter_just_changed, u64 now_ms) {
    std::erase_if(records_, [&](const auto& known) { return now_ms - known.second.last_ms > remembered_ms; });
    record& r = records_[where];
    r.last_ms = now_ms;
    r.changed = false;
    if (filter_just_changed && r.finals == 0 && !std::exchange(r.excused, true))
        return false;
    ++r.finals;
    return true;
}

void refusals::filter_changed() {
    for (auto& [where, r] : records_)
        r.changed = true;
}

bool refusals::may_try_again(const endpoint& where, u64 now_ms) const {
    const auto at = records_.find(where);
    return at != records_.end() && at->second.changed && now_ms - at->second.last_ms >= wait_ms(at->second);
}

} // namespace vestibule
