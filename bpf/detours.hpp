// Detours: a segment is sent round, to come to its interface once more by way of this CPU's backlog. There it waits until
// the present batch is through, and is then taken by itself. A mark tells the handoff, when it is back, that it was here.
#pragma once

#include "bpf/admissions.hpp"

namespace bpf {

using vestibule::reason;

// For each admission. More than any batch holds; a program before ours that takes marks away might else send one segment
// round and round.
constexpr u8 most_detours = 255;

// What this CPU has sent round: told at a glance, where each admission would have to be looked for.
struct detours {
    u64 under_way;
    u64 last_ns;
};

} // namespace bpf

extern "C" {
bpf::map<BPF_MAP_TYPE_PERCPU_ARRAY, vestibule::u32, bpf::detours, 1> sent_round SEC(".maps");
}

namespace bpf {

// Another odd number than the mark that takes segments past connection tracking.
BPF_INLINE u32 detour_mark(const vestibule::settings& set) {
    return set.untracked_mark ^ 2;
}

// Some may be lost on the way, in a full backlog, or come back on another CPU: they are not waited for for ever.
BPF_INLINE bool detours_under_way() {
    detours* d = at(sent_round, u32{0});
    if (d == nullptr || d->under_way == 0)
        return false;
    if (ktime_ns() - d->last_ns >= remembered_ns)
        d->under_way = 0;
    return d->under_way != 0;
}

BPF_INLINE void depart(__sk_buff* ctx, admission& leader, const vestibule::settings& set) {
    ctx->mark = detour_mark(set);
    --leader.detours;
    ++leader.under_way;
    if (detours* d = at(sent_round, u32{0}); d != nullptr) {
        ++d->under_way;
        d->last_ns = ktime_ns();
    }
}

// Whether this segment has been sent round before; if so, its mark is taken from it.
BPF_INLINE bool back_from_detour(__sk_buff* ctx, const segment& s, const vestibule::settings& set) {
    if (ctx->mark != detour_mark(set))
        return false;
    ctx->mark = 0;
    if (admission* leader = admission_of(s, ktime_ns()); leader != nullptr && leader->under_way != 0)
        --leader->under_way;
    if (detours* d = at(sent_round, u32{0}); d != nullptr && d->under_way != 0)
        --d->under_way;
    return true;
}

// What the kernel has forgotten (bpf/handoff.bpf.cpp, starts_at_network) still lies before the packet.
BPF_INLINE bool restore_link_header(__sk_buff* ctx) {
    vestibule::wire::ethernet link{};
    return load_link_header(ctx, &link, sizeof(link)) == 0 && make_room(ctx, sizeof(link)) == 0 &&
           store_bytes(ctx, 0, &link, sizeof(link)) == 0;
}

// Not where connection tracking is not in use, nor where the mark is somebody else's. It comes round with its link header.
// (The packet may lie elsewhere after this.)
BPF_INLINE bool may_detour(__sk_buff* ctx, const segment& s, const admission& leader) {
    return leader.detours != 0 && ctx->mark == 0 && (s.network_at != 0 || restore_link_header(ctx));
}

} // namespace bpf
