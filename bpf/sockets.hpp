// The host's sockets as the engine wants to see them.
#pragma once

#include "bpf/kernel.hpp"
#include "engine/host.hpp"
#include "engine/parse.hpp"

namespace bpf {

using vestibule::address;
using vestibule::be16;
using vestibule::be32;
using vestibule::listener;
using vestibule::segment;
using vestibule::socket_state;

BPF_INLINE bool speaks_v4(sock_common* sk) {
    constexpr u16 family_v4 = 2;
    return KERNEL_FIELD(sk, skc_family) == family_v4;
}

// The addresses of a socket of whatever kind: also one in TIME-WAIT, or half-open.
BPF_INLINE address peer_of(sock_common* sk) {
    if (speaks_v4(sk))
        return vestibule::parsing::mapped(be32{KERNEL_FIELD(sk, skc_daddr)});
    address a{};
    read_kernel(a, __builtin_preserve_access_index(&sk->skc_v6_daddr));
    return a;
}
BPF_INLINE address local_of(sock_common* sk) {
    if (speaks_v4(sk))
        return vestibule::parsing::mapped(be32{KERNEL_FIELD(sk, skc_rcv_saddr)});
    address a{};
    read_kernel(a, __builtin_preserve_access_index(&sk->skc_v6_rcv_saddr));
    return a;
}

template <class Context>
BPF_INLINE bpf_sock* socket_for(Context* ctx, const segment& s) {
    bpf_sock_tuple t{};
    if (s.v6) {
        __builtin_memcpy(t.ipv6.saddr, &s.source, 16);
        __builtin_memcpy(t.ipv6.daddr, &s.destination, 16);
        t.ipv6.sport = static_cast<u16>(s.source_port);
        t.ipv6.dport = static_cast<u16>(s.destination_port);
        return lookup_tcp(ctx, t, sizeof(t.ipv6));
    }
    t.ipv4.saddr = static_cast<u32>(s.source.word[3]);
    t.ipv4.daddr = static_cast<u32>(s.destination.word[3]);
    t.ipv4.sport = static_cast<u16>(s.source_port);
    t.ipv4.dport = static_cast<u16>(s.destination_port);
    return lookup_tcp(ctx, t, sizeof(t.ipv4));
}

BPF_INLINE bool demands_keys(tcp_sock* tcp) {
    if (KERNEL_HAS(tcp, md5sig_info) && KERNEL_FIELD(tcp, md5sig_info) != nullptr)
        return true;
    return KERNEL_HAS(tcp, ao_info) && KERNEL_FIELD(tcp, ao_info) != nullptr;
}

// What a listening socket says of itself. A queue is full when it holds more than the backlog (kernel: sk_acceptq_is_full).
BPF_INLINE listener describe(tcp_sock* tcp) {
    auto* sk = reinterpret_cast<sock*>(tcp);
    auto* connection = reinterpret_cast<inet_connection_sock*>(tcp);
    listener l{};
    l.state = socket_state::listening;
    l.queue_full = KERNEL_FIELD(sk, sk_ack_backlog) > KERNEL_FIELD(sk, sk_max_ack_backlog);
    l.multipath = KERNEL_HAS(tcp, is_mptcp) && KERNEL_FIELD(tcp, is_mptcp);
    l.fast_open = KERNEL_FIELD(connection, icsk_accept_queue.fastopenq.max_qlen) > 0;
    l.demands_keys = demands_keys(tcp);
    l.waits_for_data = KERNEL_FIELD(connection, icsk_accept_queue.rskq_defer_accept) != 0;
    l.keeps_syns = KERNEL_HAS(tcp, save_syn) && KERNEL_BITS(tcp, save_syn) != 0;
    l.most_mss = KERNEL_FIELD(tcp, rx_opt.user_mss);
    return l;
}

// Whether other programs of this namespace have a say in which socket a segment is for (BPF_PROG_TYPE_SK_LOOKUP).
BPF_INLINE bool look_ups_are_steered(sock* sk) {
    constexpr int socket_look_up = 1;
    net* n = KERNEL_FIELD(sk, __sk_common.skc_net.net);
    return KERNEL_FIELD(n, bpf.run_array[socket_look_up]) != nullptr;
}

// Whether every other peer would meet the same listener, and, for the next millisecond, in the same state: one of a group
// (SO_REUSEPORT) is picked by the peer's address; and a queue may be full after the very next connection.
BPF_INLINE bool holds_for_a_while(tcp_sock* tcp) {
    constexpr u64 more_than_come_in_a_millisecond = 256;
    auto* sk = reinterpret_cast<sock*>(tcp);
    const u64 room = KERNEL_FIELD(sk, sk_max_ack_backlog);
    return room >= KERNEL_FIELD(sk, sk_ack_backlog) + more_than_come_in_a_millisecond &&
           KERNEL_BITS(sk, __sk_common.skc_reuseport) == 0 && !look_ups_are_steered(sk);
}

} // namespace bpf
