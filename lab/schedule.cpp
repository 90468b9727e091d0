#include "lab/schedule.hpp"

#include <algorithm>
#include <limits>

namespace vestibule::lab {

namespace {

using namespace std::chrono_literals;

constexpr u32 slots_per_second = 20; // each call into the kernel takes some 20 ms to tear down
constexpr clock::duration slot = clock::duration(1s) / slots_per_second;
constexpr u32 harmless_burst = 200; // a veth queue holds 256 frames
constexpr u64 largest_portion = 1U << 30;
constexpr u64 unlimited = std::numeric_limits<u64>::max();

} // namespace

std::optional<u64> limits::total() const {
    if (rate == 0 || seconds.count() == 0)
        return count == 0 ? std::nullopt : std::optional(count);
    const auto by_time = static_cast<u64>(rate * seconds.count());
    return count == 0 ? by_time : std::min(by_time, count);
}

bool paced_in_kernel(const limits& l) {
    return l.rate > slots_per_second * harmless_burst && !l.bursts;
}

u32 batch(const limits& l) {
    constexpr u32 usual = 64;
    constexpr u32 batches_per_second = 20'000; // 50 us without anything else running on the CPU
    return paced_in_kernel(l) ? std::clamp(l.rate / batches_per_second, 1U, usual) : usual;
}

u64 schedule::due_by(u64 slots) const {
    const u64 total = within_.total().value_or(unlimited);
    const bool slotted = within_.rate != 0 && !paced_in_kernel(within_);
    return slotted ? std::min(total, within_.rate * slots / slots_per_second) : total;
}

std::optional<portion> schedule::next(u64 sent) {
    if (sent >= within_.total().value_or(unlimited))
        return std::nullopt;
    const auto due = start_ + slot * static_cast<clock::rep>(slots_taken_);
    const u64 by_then = std::max(sent, due_by(++slots_taken_));
    return portion{due, static_cast<u32>(std::min(by_then - sent, largest_portion))};
}

} // namespace vestibule::lab
