// How a listener takes what it is handed. The witness writes down each handed-over segment that the stack answers with a
// reset, and each connection that the stack built; where resets come one after another, the endpoint goes back to the stack.
//
// Only the stack's own reset of that very segment counts. A segment that is dropped on the way (a checksum that does not
// hold, a banned source) says nothing of the listener: any peer can send such.
#pragma once

#include "bpf/maps.hpp"

namespace bpf {

using vestibule::address;
using vestibule::answer;
using vestibule::be16;
using vestibule::endpoint;
using vestibule::event;

// Refusals since the stack last built a connection.
struct vitals {
    u32 refusals;
    u32 zero;
};

constexpr u32 patience = 3;

} // namespace bpf

extern "C" {
bpf::map<BPF_MAP_TYPE_LRU_HASH, vestibule::endpoint, bpf::vitals, 16384> health SHARED_MAP;
}

namespace bpf {

// Connections are known to the witness by address and port alone.
BPF_INLINE endpoint anywhere(const address& local, be16 local_port) {
    return {0, 0, 0, local, local_port, 0};
}

// The dead man's switch. Needs no control process.
BPF_INLINE void refused(const endpoint& where) {
    const endpoint key = anywhere(where.local, where.port);
    vitals* v = at(health, key);
    if (v == nullptr) {
        put(health, key, vitals{1, 0});
        return;
    }
    answer* a = at(answers, where);
    if (++v->refusals < patience || a == nullptr)
        return;
    a->why = vestibule::left_reason::handoff_refused;
    a->state = vestibule::service::left;
    raise_edition();
    v->refusals = 0;
    event e{vestibule::event_kind::handoff_refused, {}, 0, where, {}};
    emit(events, &e, sizeof(e));
}

BPF_INLINE void connection_built(const endpoint& key) {
    if (vitals* v = at(health, key); v != nullptr)
        v->refusals = 0;
}

} // namespace bpf
