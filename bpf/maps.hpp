// The maps that the programs share with each other and with the control process. Every object names them all; the
// control process makes each once and hands the same map to all objects.
#pragma once

#include "abi/answer.hpp"
#include "abi/event.hpp"
#include "abi/keys.hpp"
#include "abi/reason.hpp"
#include "abi/settings.hpp"
#include "bpf/bpf.hpp"

constexpr vestibule::u32 most_answers = 65536;

extern "C" {
using vestibule::u32;

bpf::map<BPF_MAP_TYPE_ARRAY, u32, vestibule::key_ring, 1> keys SEC(".maps");
bpf::map<BPF_MAP_TYPE_ARRAY, u32, vestibule::settings, 1> config SEC(".maps");
bpf::map<BPF_MAP_TYPE_HASH, vestibule::endpoint, vestibule::answer, most_answers, BPF_F_NO_PREALLOC>
    answers SEC(".maps");
bpf::map<BPF_MAP_TYPE_PERCPU_ARRAY, u32, vestibule::tally, 1> counters SEC(".maps");
bpf::ring<1U << 18> events SEC(".maps");
}

namespace bpf {

BPF_INLINE const vestibule::key_ring* key_ring() {
    return at(keys, u32{0});
}
BPF_INLINE const vestibule::settings* settings() {
    return at(config, u32{0});
}

BPF_INLINE void count(vestibule::reason why, u64 frames = 1) {
    if (vestibule::tally* t = at(counters, u32{0}); t != nullptr && why < vestibule::reason::count)
        t->of[static_cast<u32>(why)] += frames;
}

BPF_INLINE u64 now_ms() {
    return ktime_ns() / 1'000'000;
}

} // namespace bpf
