// The adaptor's clock in milliseconds, shared by frames that come at once: reading the kernel's costs as much as a cookie
// does, a quarter of an answer. A reading is shared only in a flood, where the frames before came close upon each other,
// only by the few that follow, and only until the next tick of the kernel: so the time is never ahead, and at most a few
// frames, right after a flood has paused, take it from before the pause, less than a tick (1 to 4 ms) late.
#pragma once

#include "bpf/bpf.hpp"

namespace bpf {

struct moment {
    u64 tick;
    u64 ns;
    u64 ms;
    u64 sharers; // how many frames may still take it
};

constexpr u64 most_sharers = 8;
constexpr u64 flood_ns = 50'000; // from one reading to the next, at most

} // namespace bpf

extern "C" {
bpf::map<BPF_MAP_TYPE_PERCPU_ARRAY, bpf::u32, bpf::moment, 1> moments SEC(".maps");
}

namespace bpf {

BPF_INLINE void read_clock(moment& m, u64 tick) {
    const u64 now = ktime_ns();
    m.sharers = now - m.ns < flood_ns ? most_sharers : 0;
    m.tick = tick;
    m.ns = now;
    m.ms = now / 1'000'000;
}

BPF_INLINE u64 now_ms() {
    moment* m = at(moments, u32{0});
    if (m == nullptr)
        return ktime_ns() / 1'000'000;
    const u64 tick = ticks();
    if (m->sharers == 0 || m->tick != tick)
        read_clock(*m, tick);
    else
        --m->sharers;
    return m->ms;
}

} // namespace bpf
