// Whom this CPU has just admitted: exact 4-tuples, for a few milliseconds. The handoff lets the followers of an admitted
// segment pass by it; the witness tells by it that the stack reset a segment that was handed over.
#pragma once

#include "bpf/kernel.hpp"
#include "bpf/maps.hpp"
#include "engine/segment.hpp"

namespace bpf {

using vestibule::address;
using vestibule::be16;
using vestibule::endpoint;
using vestibule::segment;

constexpr u64 remembered_ns = 10'000'000; // longer than any batch, shorter than any retransmission timer
constexpr u32 ways = 4;
constexpr u32 sets = 256;

struct admission {
    address peer;
    be16 peer_port;
    u8 detours;   // how many more of its connection may be sent round (bpf/detours.hpp); 0: none
    u8 under_way; // of those sent round so far
    endpoint local;
    u64 at_ns;
    u64 buffer; // which socket buffer was handed over; 0: not known any more
};

struct admission_set {
    admission way[ways];
};

} // namespace bpf

extern "C" {
bpf::map<BPF_MAP_TYPE_PERCPU_ARRAY, vestibule::u32, bpf::admission_set, bpf::sets> admissions SHARED_MAP;
}

namespace bpf {

// Until the host sends, every segment of a new connection acknowledges the cookie: its MAC spreads them over the sets.
BPF_INLINE admission_set* set_of(const segment& s) {
    return at(admissions, s.acknowledgment >> 24);
}

BPF_INLINE bool is(const admission& a, const segment& s, u64 now_ns) {
    return now_ns - a.at_ns < remembered_ns && a.peer_port == s.source_port && a.local.port == s.destination_port &&
           same(a.peer, s.source) && same(a.local.local, s.destination);
}

// Null: not admitted just now.
BPF_INLINE admission* admission_of(const segment& s, u64 now_ns) {
    admission_set* set = set_of(s);
    if (set == nullptr)
        return nullptr;
    admission* found = nullptr;
    for (u32 i = 0; i < ways; ++i)
        if (is(set->way[i], s, now_ns))
            found = &set->way[i];
    return found;
}

BPF_INLINE admission* remember(const segment& s, const endpoint& local, u64 now_ns, u64 buffer, u8 detours) {
    admission_set* set = set_of(s);
    if (set == nullptr)
        return nullptr;
    u32 oldest = 0;
    u64 least = set->way[0].at_ns;
    for (u32 i = 1; i < ways; ++i)
        if (set->way[i].at_ns < least) {
            least = set->way[i].at_ns;
            oldest = i;
        }
    admission* a = &set->way[oldest & (ways - 1)];
    *a = {s.source, s.source_port, detours, 0, local, now_ns, buffer};
    return a;
}

} // namespace bpf
