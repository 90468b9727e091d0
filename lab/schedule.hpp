// How fast, how many, how long: and so, when how many frames are due.
#pragma once

#include <chrono>
#include <optional>

#include "abi/scalar.hpp"

namespace vestibule::lab {

using clock = std::chrono::steady_clock;

// Zero means: no limit.
struct limits {
    u32 rate; // frames per second
    u64 count;
    std::chrono::duration<double> seconds;
    bool bursts; // twenty a second, asleep in between; otherwise evenly, which occupies a CPU

    // Frames of the whole flood, where rate or count say so.
    std::optional<u64> total() const;
};

// Slow floods are sent in bursts too small for any queue to mind.
bool paced_in_kernel(const limits& l);

// Frames to hand over at a time.
u32 batch(const limits& l);

struct portion {
    clock::time_point due;
    u32 frames;
};

class schedule {
public:
    schedule(const limits& within, clock::time_point start) : within_(within), start_(start) {}

    // What to send next when so many frames were sent; nothing when that is all. Due times are absolute: who is late sends
    // at once, so that the rate holds on average.
    std::optional<portion> next(u64 sent);

private:
    u64 due_by(u64 slots) const;

    limits within_;
    clock::time_point start_;
    u64 slots_taken_ = 0;
};

} // namespace vestibule::lab
