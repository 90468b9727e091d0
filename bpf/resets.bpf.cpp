// The stack resets a segment. Is it one that the handoff has just handed over? Then it is of that buffer and 4-tuple (so the
// namespace need not be asked for: by now the stack has taken the device off the buffer), and no connection has been built
// of it: where one was, the witness has made the buffer forgotten, since later segments may use it again and be reset.
#include "bpf/admissions.hpp"
#include "bpf/kernel.hpp"
#include "bpf/vitals.hpp"
#include "engine/parse.hpp"

namespace {

using namespace vestibule;

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
    if (const auto* skb = reinterpret_cast<const sk_buff*>(ctx[1]); skb != nullptr)
        segment_reset(skb);
    return 0;
}

static const char dual_license[] SEC("license") = "Dual BSD/GPL";
