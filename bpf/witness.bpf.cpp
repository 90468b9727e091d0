// The witness: a tracepoint program that sees the host's sockets change state. It tells the control process which
// listeners come and go, the handoff that its records become connections, and the adaptor with whom there are any.
#include "bpf/acquaintances.hpp"
#include "bpf/admissions.hpp"
#include "bpf/kernel.hpp"
#include "bpf/sockets.hpp"
#include "bpf/vitals.hpp"
#include "engine/parse.hpp"

namespace {

using namespace vestibule;

constexpr int state_established = 1;
constexpr int state_syn_sent = 2;
constexpr int state_syn_received = 3;
constexpr int state_listen = 10;

BPF_INLINE bool of_this_namespace(sock* sk) {
    const settings* set = bpf::settings();
    net* n = KERNEL_FIELD(sk, __sk_common.skc_net.net);
    return set != nullptr && KERNEL_FIELD(n, ns.inum) == set->network_inode;
}

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

// Connections that the stack made by itself say nothing of how it takes ours.
BPF_INLINE void established_now(sock* sk) {
    const segment s = first_segment(sk);
    if (bpf::admission_of(s, bpf::ktime_ns()) != nullptr)
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
    if (of_this_namespace(sk))
        state_changed(sk, from, to);
    return 0;
}

// The stack resets a segment. Is it one that the handoff has just handed over? Then it is of that buffer and 4-tuple (so the
// namespace need not be asked for: by now the stack has taken the device off the buffer), and it is reset on behalf of the
// listener, or of nobody. A connection that the stack did build, and its TIME-WAIT, may reset later segments in that buffer,
// used again: a server that closes at once can be made to.
namespace {

BPF_INLINE bool read_addresses(const unsigned char* at, be16 type, segment& s) {
    if (type == wire::type_ipv4) {
        wire::ipv4 ip{};
        bpf::read_kernel(ip, at);
        s.source = parsing::mapped(ip.source);
        s.destination = parsing::mapped(ip.destination);
        return true;
    }
    wire::ipv6 ip{};
    bpf::read_kernel(ip, at);
    s.source = ip.source;
    s.destination = ip.destination;
    return type == wire::type_ipv6;
}

BPF_INLINE bool read_segment(const sk_buff* skb, segment& s) {
    const unsigned char* head = KERNEL_FIELD(skb, head);
    wire::tcp tcp{};
    bpf::read_kernel(tcp, head + KERNEL_FIELD(skb, transport_header));
    s.source_port = tcp.source_port;
    s.destination_port = tcp.destination_port;
    s.acknowledgment = host(tcp.acknowledgment);
    return read_addresses(head + KERNEL_FIELD(skb, network_header), be16{KERNEL_FIELD(skb, protocol)}, s);
}

BPF_INLINE void segment_reset(const sk_buff* skb) {
    segment s{};
    if (!read_segment(skb, s))
        return;
    bpf::admission* a = bpf::admission_of(s, bpf::ktime_ns());
    if (a == nullptr || a->buffer != reinterpret_cast<u64>(skb))
        return;
    a->buffer = 0;
    bpf::count(reason::handoff_refused);
    bpf::refused(a->local);
}

} // namespace

// (socket, buffer, ...): both may be null.
extern "C" SEC("tp_btf/tcp_send_reset") int reset_sent(u64* ctx) {
    auto* sk = reinterpret_cast<sock*>(ctx[0]);
    const auto* skb = reinterpret_cast<const sk_buff*>(ctx[1]);
    const bool of_a_connection = sk != nullptr && KERNEL_FIELD(sk, __sk_common.skc_state) != state_listen;
    if (skb != nullptr && !of_a_connection)
        segment_reset(skb);
    return 0;
}

// Drivers that cannot send what XDP gives them say so in tracepoints only. A full queue loses a frame now and then; an error
// for a whole batch means that nothing will ever get through.
extern "C" {
bpf::map<BPF_MAP_TYPE_LRU_HASH, u32, vestibule::loss, 1024> losses SEC(".maps");
}

namespace {

constexpr u64 tell_again_ns = 100'000'000;

BPF_INLINE bool of_this_namespace(const net_device* device) {
    const settings* set = bpf::settings();
    net* n = KERNEL_FIELD(device, nd_net.net);
    return set != nullptr && KERNEL_FIELD(n, ns.inum) == set->network_inode;
}

BPF_INLINE loss* loss_of(u32 ifindex) {
    if (loss* known = bpf::at(losses, ifindex); known != nullptr)
        return known;
    bpf::put(losses, ifindex, loss{}, BPF_NOEXIST);
    return bpf::at(losses, ifindex);
}

BPF_INLINE void tell(u32 ifindex, loss& l) {
    const u64 now = bpf::ktime_ns();
    if (now - l.told_ns < tell_again_ns)
        return;
    l.told_ns = now;
    event e{event_kind::replies_lost, {}, 0, {ifindex, 0, 0, {}, {}, 0}, {}};
    bpf::emit(events, &e, sizeof(e));
}

BPF_INLINE void lost(const net_device* device, u32 replies, bool for_good) {
    if (!of_this_namespace(device))
        return;
    bpf::count(reason::reply_lost, replies);
    const auto ifindex = static_cast<u32>(KERNEL_FIELD(device, ifindex));
    loss* l = loss_of(ifindex);
    if (l == nullptr)
        return;
    __sync_fetch_and_add(&l->replies, replies);
    if (for_good)
        tell(ifindex, *l);
}

} // namespace

// (device, sent, drops, error): what a driver made of a batch of replies.
extern "C" SEC("tp_btf/xdp_bulk_tx") int bulk_sent(u64* ctx) {
    const auto* device = reinterpret_cast<const net_device*>(ctx[0]);
    const int sent = static_cast<int>(ctx[1]);
    const int dropped = static_cast<int>(ctx[2]);
    const int error = static_cast<int>(ctx[3]);
    if (dropped > 0)
        lost(device, static_cast<u32>(dropped), error < 0 && sent <= 0);
    return 0;
}

// (device, program, action): other drivers report each reply that they could not send.
extern "C" SEC("tp_btf/xdp_exception") int driver_failed(u64* ctx) {
    const auto* device = reinterpret_cast<const net_device*>(ctx[0]);
    if (static_cast<u32>(ctx[2]) == XDP_TX)
        lost(device, 1, false);
    return 0;
}

extern "C" const char dual_license[] SEC("license") = "Dual BSD/GPL";
