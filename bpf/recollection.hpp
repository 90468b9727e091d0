// The answers that this CPU gave last, and the listeners that it gave them for, so that a flood is not one look-up after
// another. An answer holds for one edition of the answers on file: whoever changes an answer raises the edition afterwards.
// A listener holds for the millisecond in which it was looked up, and only where every peer would meet the same one, with
// more room in its accept queue than a millisecond can fill (bpf/sockets.hpp).
#pragma once

#include "bpf/maps.hpp"
#include "engine/host.hpp"

namespace bpf {

using vestibule::answer;
using vestibule::endpoint;
using vestibule::listener;

struct recollection {
    u64 edition;
    endpoint where;
    u32 zero;
    answer said;
    u64 seen_ms; // 0: never
    listener seen;
};

constexpr u32 most_recollections = 128; // a power of two

} // namespace bpf

extern "C" {
bpf::map<BPF_MAP_TYPE_PERCPU_ARRAY, u32, bpf::recollection, bpf::most_recollections> recollections SEC(".maps");
}

namespace bpf {

BPF_INLINE bool same(const endpoint& a, const endpoint& b) {
    return a.port == b.port && a.ifindex == b.ifindex && vestibule::same(a.local, b.local) &&
           a.outer_vlan == b.outer_vlan && a.inner_vlan == b.inner_vlan;
}

BPF_INLINE recollection* place_for(const endpoint& where) {
    const u32 local = host(where.local.word[3]);
    return at(recollections, (host(where.port) ^ local ^ local >> 16) & (most_recollections - 1));
}

// What is on file for `where`, in `said`; null: nothing. The exchange keeps the copy from being older than its edition: it is
// a full barrier between the reading of the one and the look-up of the other.
BPF_INLINE recollection* recall(const endpoint& where) {
    recollection* r = place_for(where);
    if (r == nullptr)
        return nullptr;
    const u64 now = edition();
    if (r->edition == now && same(r->where, where))
        return r;
    __sync_lock_test_and_set(&r->edition, 0);
    const answer* on_file = at(answers, where);
    if (on_file == nullptr)
        return nullptr;
    r->where = where;
    r->said = *on_file;
    r->seen_ms = 0;
    r->edition = now;
    return r;
}

} // namespace bpf
