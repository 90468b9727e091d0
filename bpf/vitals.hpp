// How a listener takes what it is handed. The handoff writes down each record, the witness each connection that the stack
// built; where the first goes on without the second, the endpoint goes back to the stack.
#pragma once

#include "bpf/maps.hpp"
#include "engine/segment.hpp"

namespace bpf {

using vestibule::address;
using vestibule::answer;
using vestibule::be16;
using vestibule::endpoint;
using vestibule::event;

// `streak` records since `since_ns` from which the stack built no connection.
struct vitals {
    u64 since_ns;
    u32 streak;
    u32 zero;
};

constexpr u32 patience_records = 3;
constexpr u64 patience_ns = 100'000'000; // a whole batch may be under way: never by number alone

} // namespace bpf

extern "C" {
bpf::map<BPF_MAP_TYPE_LRU_HASH, vestibule::endpoint, bpf::vitals, 16384> health SEC(".maps");
}

namespace bpf {

// Connections are known to the witness by address and port alone.
BPF_INLINE endpoint anywhere(const address& local, be16 local_port) {
    return {0, 0, 0, local, local_port, 0};
}

// The dead man's switch: a stack that takes record after record and builds nothing would reset every peer, so that
// endpoint goes back to the stack. Needs no control process.
BPF_INLINE void watch(const vestibule::segment& s, const endpoint& where, answer& a, u64 now_ns) {
    const endpoint key = anywhere(s.destination, s.destination_port);
    vitals* v = at(health, key);
    if (v == nullptr || v->streak == 0) {
        put(health, key, vitals{now_ns, 1, 0});
        return;
    }
    if (++v->streak < patience_records || now_ns - v->since_ns < patience_ns)
        return;
    a.why = vestibule::left_reason::handoff_refused;
    a.state = vestibule::service::left;
    v->streak = 0;
    event e{vestibule::event_kind::handoff_refused, {}, 0, where, s.source};
    emit(events, &e, sizeof(e));
}

} // namespace bpf
