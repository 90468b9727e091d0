// The way back to a peer, where it may be another than the one by which strangers are answered.
#pragma once

#include "abi/way.hpp"
#include "bpf/bpf.hpp"
#include "engine/segment.hpp"

constexpr vestibule::u32 most_ways = 65536;

extern "C" {
bpf::map<BPF_MAP_TYPE_LPM_TRIE, vestibule::way_key, vestibule::way, most_ways, BPF_F_NO_PREALLOC> ways SEC(".maps");

// A function of its own, so that its key takes no room where every SYN is met. Addresses and way as the words they lie in.
[[gnu::noinline]] vestibule::u64 find_way(vestibule::u32 ifindex, vestibule::u32 vlan, vestibule::u64 high,
                                          vestibule::u64 low) {
    vestibule::way_key where{.prefix_length = 8 * (sizeof(where) - sizeof(where.prefix_length)),
                             .ifindex = ifindex,
                             .outer_vlan = static_cast<vestibule::u16>(vlan >> 16),
                             .inner_vlan = static_cast<vestibule::u16>(vlan),
                             .peer = {}};
    __builtin_memcpy(&where.peer.word[0], &high, sizeof(high));
    __builtin_memcpy(&where.peer.word[2], &low, sizeof(low));
    const vestibule::way* found = bpf::at(ways, where);
    vestibule::u64 words = 0;
    if (found != nullptr)
        __builtin_memcpy(&words, found, sizeof(words));
    return words;
}
}

namespace bpf {

BPF_INLINE vestibule::way way_for(u32 ifindex, const vestibule::segment& s) {
    const u32 vlan = static_cast<u32>(s.vlan.outer) << 16 | s.vlan.inner;
    u64 high = 0;
    u64 low = 0;
    __builtin_memcpy(&high, &s.source.word[0], sizeof(high));
    __builtin_memcpy(&low, &s.source.word[2], sizeof(low));
    return __builtin_bit_cast(vestibule::way, find_way(ifindex, vlan, high, low));
}

} // namespace bpf
