// The witness: a tracepoint program that sees the host's sockets change state. It tells the control process which
// listeners come and go, the handoff that its records become connections, and the adaptor with whom there are any.
#include "bpf/acquaintances.hpp"
#include "bpf/admissions.hpp"
#include "bpf/kernel.hpp"
#include "bpf/namespace.hpp"
#include "bpf/sockets.hpp"
#include "bpf/vitals.hpp"
#include "engine/parse.hpp"

namespace {

using namespace vestibule;

constexpr int state_established = 1;
constexpr int state_syn_sent = 2;
constexpr int state_syn_received = 3;
constexpr int state_listen = 10;

// Both ends of a connection, and what its peer's first segment acknowledged, as that segment had them.
BPF_INLINE segment first_segment(sock* sk) {
    segment s{};
    s.source = bpf::peer_of(&sk->__sk_common);
    s.destination = bpf::local_of(&sk->__sk_common);
    s.source_port = be16{KERNEL_FIELD(sk, __sk_common.skc_dport)};
    s.destination_port = network(KERNEL_FIELD(sk, __sk_common.skc_num));
    bpf::read_kernel(s.acknowledgment, __builtin_preserve_access_index(&reinterpret_cast<tcp_sock*>(sk)->snd_una));
    return s;
}

// Connections that the stack made by itself say nothing of how it takes ours. What is reset from now on is not what was
// handed over, though it may be in the same buffer.
BPF_INLINE void established_now(sock* sk) {
    const segment s = first_segment(sk);
    bpf::admission* a = bpf::admission_of(s, bpf::ktime_ns());
    if (a == nullptr)
        return;
    a->buffer = 0;
    bpf::connection_built(bpf::anywhere(s.destination, s.destination_port));
}

BPF_INLINE void state_changed(sock* sk, int from, int to) {
    if (to == state_syn_sent || to == state_syn_received || to == state_established)
        bpf::acquaint(&sk->__sk_common);
    if (from == state_syn_received && to == state_established) {
        established_now(sk);
        return;
    }
    if ((from != state_listen && to != state_listen) || to == state_syn_received) // a child is cloned from its listener
        return;
    const u16 number = KERNEL_FIELD(sk, __sk_common.skc_num);
    event e{event_kind::listeners_changed, {}, 0, bpf::anywhere(address{}, network(number)), {}};
    bpf::emit(events, &e, sizeof(e));
}

} // namespace

extern "C" SEC("tp_btf/inet_sock_set_state") int socket_state_changed(u64* ctx) {
    auto* sk = reinterpret_cast<sock*>(ctx[0]);
    const int from = static_cast<int>(ctx[1]);
    const int to = static_cast<int>(ctx[2]);
    if (bpf::of_this_namespace(sk))
        state_changed(sk, from, to);
    return 0;
}

static const char dual_license[] SEC("license") = "Dual BSD/GPL";
