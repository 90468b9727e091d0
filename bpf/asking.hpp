// Asking the control process to rehearse an endpoint: at most once a second for each, and so often altogether.
#pragma once

#include "bpf/maps.hpp"
#include "engine/host.hpp"

namespace bpf {

using vestibule::circumstances;
using vestibule::endpoint;
using vestibule::event;
using vestibule::fits;
using vestibule::frame;
using vestibule::segment;

struct asking {
    u64 last_ms;
};

// Endpoints whose rehearsal was asked for, so that a flood asks once a second and not a million times.
constexpr u64 ask_again_ms = 1000;
constexpr u64 most_asked_a_second = 200; // on each processor

struct budget {
    u64 since_ms;
    u64 spent;
};

} // namespace bpf

extern "C" {
bpf::map<BPF_MAP_TYPE_LRU_HASH, vestibule::endpoint, bpf::asking, 4096> asked SEC(".maps");
bpf::map<BPF_MAP_TYPE_PERCPU_ARRAY, u32, bpf::budget, 1> asking_budget SEC(".maps");
}

namespace bpf {

// A wildcard listener is found for any destination, be it this host's or not: traffic in transit could ask without end.
BPF_INLINE bool within_budget(u64 now_ms) {
    budget* b = at(asking_budget, u32{0});
    if (b == nullptr)
        return false;
    if (now_ms - b->since_ms >= 1000) {
        b->since_ms = now_ms;
        b->spent = 0;
    }
    return b->spent++ < most_asked_a_second;
}

BPF_INLINE void ask_for_rehearsal(const frame& f, const segment& s, const circumstances& c) {
    const endpoint where = local_end(s, c.ifindex);
    const asking* before = at(asked, where);
    if (before != nullptr && c.now_ms - before->last_ms < ask_again_ms)
        return;
    if (!within_budget(c.now_ms))
        return;
    put(asked, where, asking{c.now_ms});
    event e{vestibule::event_kind::rehearsal_wanted, {}, 0, where, s.source};
    if (fits(f.begin, sizeof(vestibule::wire::ethernet), f.end))
        __builtin_memcpy(e.link, f.begin + 6, 6);
    emit(events, &e, sizeof(e));
}

} // namespace bpf
