// The maps that most programs share with each other and with the control process.
#pragma once

#include "abi/answer.hpp"
#include "abi/event.hpp"
#include "abi/keys.hpp"
#include "abi/loss.hpp"
#include "abi/reason.hpp"
#include "abi/settings.hpp"
#include "bpf/bpf.hpp"

constexpr vestibule::u32 most_answers = 65536;

namespace bpf {

// How often the answers on file were changed: entry 0 by the control process, entry 1 by the datapath itself.
struct changes {
    u64 number;
};

} // namespace bpf

extern "C" {
using vestibule::u32;

bpf::map<BPF_MAP_TYPE_ARRAY, u32, vestibule::key_ring, 1> keys SHARED_MAP;
bpf::map<BPF_MAP_TYPE_ARRAY, u32, vestibule::settings, 1> config SHARED_MAP;
bpf::map<BPF_MAP_TYPE_HASH, vestibule::endpoint, vestibule::answer, most_answers, BPF_F_NO_PREALLOC> answers SHARED_MAP;
bpf::map<BPF_MAP_TYPE_ARRAY, u32, bpf::changes, 2> editions SHARED_MAP;
bpf::map<BPF_MAP_TYPE_PERCPU_ARRAY, u32, vestibule::tally, 1> counters SHARED_MAP;
bpf::map<BPF_MAP_TYPE_PERCPU_ARRAY, u32, vestibule::u64, vestibule::replies_entries> replies SHARED_MAP;
bpf::ring<1U << 18> events SHARED_MAP;
}

namespace bpf {

BPF_INLINE const vestibule::key_ring* key_ring() {
    return at(keys, u32{0});
}
BPF_INLINE const vestibule::settings* settings() {
    return at(config, u32{0});
}

// Never the same again once an answer has changed.
BPF_INLINE u64 edition() {
    const changes* by_control = at(editions, u32{0});
    const changes* by_datapath = at(editions, u32{1});
    return by_control == nullptr || by_datapath == nullptr ? 0 : 1 + by_control->number + by_datapath->number;
}

BPF_INLINE void raise_edition() {
    if (changes* by_datapath = at(editions, u32{1}); by_datapath != nullptr)
        __sync_fetch_and_add(&by_datapath->number, 1);
}

BPF_INLINE void count(vestibule::reason why, u64 frames = 1) {
    if (vestibule::tally* t = at(counters, u32{0}); t != nullptr && why < vestibule::reason::count)
        t->of[static_cast<u32>(why)] += frames;
}

BPF_INLINE void count_reply(u32 ifindex) {
    if (u64* given = at(replies, vestibule::replies_entry(ifindex)); given != nullptr)
        ++*given;
}

} // namespace bpf
