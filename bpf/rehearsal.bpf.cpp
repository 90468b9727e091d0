// Rehearsal: asking the host's stack what it would answer, without anybody outside noticing. `inject` puts our SYNs, RSTs
// and stray ACKs into the stack as if they had arrived on an interface (live frames of BPF_PROG_TEST_RUN); `overhear`, at
// TC egress for as long as that lasts, keeps the stack's answers from leaving and tells the control process of them.
#include "abi/rehearsal.hpp"
#include "bpf/buffer.hpp"
#include "bpf/frames.hpp"
#include "bpf/maps.hpp"
#include "bpf/sockets.hpp"
#include "engine/parse.hpp"

extern "C" {
bpf::map<BPF_MAP_TYPE_ARRAY, u32, vestibule::rehearsal_frame, vestibule::most_rehearsal_frames> frames SEC(".maps");
bpf::map<BPF_MAP_TYPE_ARRAY, u32, vestibule::rehearsal_cursor, 1> cursor SEC(".maps");
bpf::map<BPF_MAP_TYPE_ARRAY, u32, vestibule::agreement, 1> agreed SEC(".maps");
bpf::map<BPF_MAP_TYPE_PERCPU_ARRAY, u32, vestibule::overheard, 1> scratch SEC(".maps");
bpf::ring<1U << 21> answers_overheard SEC(".maps");
}

namespace {

using namespace vestibule;

constexpr int next = -1; // TCX_NEXT
constexpr int shot = 2;  // TC_ACT_SHOT

BPF_INLINE bool answers_attempt(const segment& s, u32 token) {
    return has(s, wire::ack) && has_any(s, wire::syn | wire::rst) && s.acknowledgment == token + 1;
}

// The reset that answers a stray ACK takes its sequence number from what that ACK acknowledged.
BPF_INLINE bool answers_stray(const segment& s, u32 token) {
    return has(s, wire::rst) && !has(s, wire::ack) && (s.sequence == (token ^ 1) || s.sequence == (token ^ 2));
}

struct ON_THE_WIRE icmp_v4_error {
    wire::ipv4 outer;
    u8 type;
    u8 code;
    u16 checksum;
    u32 unused;
    wire::ipv4 inner;
    be16 source_port;
    be16 destination_port;
    be32 sequence;
};

struct ON_THE_WIRE icmp_v6_error {
    wire::ipv6 outer;
    u8 type;
    u8 code;
    u16 checksum;
    u32 unused;
    wire::ipv6 inner;
    be16 source_port;
    be16 destination_port;
    be32 sequence;
};

constexpr u8 protocol_icmp_v4 = 1;
constexpr u8 protocol_icmp_v6 = 58;
constexpr u32 most_tags = 2;

// A quoted packet carries our sequence number: the token in SYNs and stray ACKs, one more in RSTs.
BPF_INLINE bool ours(be32 sequence, u32 token) {
    return host(sequence) == token || host(sequence) == token + 1;
}

BPF_INLINE bool rejects_v4(const u8* at, const frame& f, u32 token) {
    const auto* e = reinterpret_cast<const icmp_v4_error*>(at);
    return fits(e, sizeof(*e), f.end) && e->outer.protocol == protocol_icmp_v4 && e->outer.version_length == 0x45 &&
           e->inner.protocol == wire::protocol_tcp && ours(e->sequence, token);
}

BPF_INLINE bool rejects_v6(const u8* at, const frame& f, u32 token) {
    const auto* e = reinterpret_cast<const icmp_v6_error*>(at);
    return fits(e, sizeof(*e), f.end) && e->outer.next_header == protocol_icmp_v6 &&
           e->inner.next_header == wire::protocol_tcp && ours(e->sequence, token);
}

BPF_INLINE bool rejects(const frame& f, u32 token) {
    const auto* link = reinterpret_cast<const wire::ethernet*>(f.begin);
    if (!fits(link, sizeof(*link), f.end))
        return false;
    be16 type = link->type;
    const u8* at = f.begin + sizeof(*link);
    for (u32 i = 0; i < most_tags && (type == wire::type_vlan || type == wire::type_service_vlan); ++i) {
        const auto* tag = reinterpret_cast<const wire::vlan*>(at);
        if (!fits(tag, sizeof(*tag), f.end))
            return false;
        type = tag->type;
        at += sizeof(*tag);
    }
    return type == wire::type_ipv4 ? rejects_v4(at, f, token) : type == wire::type_ipv6 && rejects_v6(at, f, token);
}

BPF_INLINE u32 socket_port(__sk_buff* ctx) {
    bpf_sock* sk = ctx->sk;
    return sk != nullptr ? sk->src_port : 0;
}

// Connection tracking ties what it knows to its entry, a pointer whose low bits say other things.
BPF_INLINE u32 tracked(__sk_buff* ctx) {
    constexpr unsigned long other_things = 7;
    unsigned long entry = 0;
    const auto* skb = reinterpret_cast<const sk_buff*>(buffer_of(ctx));
    if (KERNEL_HAS(skb, _nfct))
        bpf::read_kernel(entry, __builtin_preserve_access_index(&skb->_nfct));
    return (entry & ~other_things) != 0 ? 1 : 0;
}

BPF_INLINE void report(__sk_buff* ctx) {
    overheard* o = bpf::at(scratch, u32{0});
    if (o == nullptr)
        return;
    o->ifindex = ctx->ifindex;
    o->socket_port = socket_port(ctx);
    o->vlan = ctx->vlan_present != 0 ? ctx->vlan_tci & 0x0fffU : 0;
    o->tracked = tracked(ctx);
    const u32 length = ctx->len < overheard_bytes ? ctx->len : overheard_bytes;
    o->length = length;
    if (length == 0 || length > overheard_bytes || bpf::load_bytes(ctx, 0, o->bytes, length) != 0)
        return;
    bpf::emit(answers_overheard, o, sizeof(*o));
}

} // namespace

extern "C" [[gnu::noinline]] int read_reply(__sk_buff* ctx, segment* s) {
    if (s == nullptr)
        return static_cast<int>(shape::other);
    frame f = bpf::frame_of(ctx);
    f.beyond = ctx->len - static_cast<u32>(f.end - f.begin);
    return static_cast<int>(parse(f, *s));
}

extern "C" SEC("tc") int overhear(__sk_buff* ctx) {
    const settings* set = bpf::settings();
    if (set == nullptr)
        return next;
    bpf::pull_data(ctx, ctx->len < overheard_bytes ? ctx->len : overheard_bytes);
    segment s{};
    const u32 token = set->rehearsal_token;
    bool ours = false;
    if (read_reply(ctx, &s) == static_cast<int>(shape::tcp))
        ours = answers_attempt(s, token) || answers_stray(s, token);
    else
        ours = rejects(bpf::frame_of(ctx), token);
    if (!ours)
        return next;
    if (has(s, wire::syn | wire::ack))
        bpf::put(agreed, u32{0}, agreement{s.destination, s.destination_port, 0});
    report(ctx);
    return shot;
}

namespace {

// The frames go in one by one, so the stack has spoken about an attempt before the frame that clears it comes. (Not where
// receiving work is spread over CPUs; the control process then clears once more.)
BPF_INLINE bool nothing_to_clear(const rehearsal_frame& r) {
    const agreement* a = bpf::at(agreed, u32{0});
    return r.cautious != 0 && (a == nullptr || !same(a->peer, r.peer) || a->peer_port != r.peer_port);
}

BPF_INLINE bool is_taken(xdp_md* ctx, const rehearsal_frame& r) {
    segment s{};
    s.source = r.peer;
    s.destination = r.local;
    s.source_port = r.peer_port;
    s.destination_port = r.local_port;
    s.v6 = !is_v4(r.peer);
    bpf_sock* sk = bpf::socket_for(ctx, s);
    if (sk == nullptr)
        return false;
    const bool taken = sk->state != BPF_TCP_LISTEN;
    bpf::release(sk);
    return taken;
}

} // namespace

extern "C" SEC("xdp") int inject(xdp_md* ctx) {
    rehearsal_cursor* c = bpf::at(cursor, u32{0});
    if (c == nullptr)
        return XDP_DROP;
    const u32 n = c->next++;
    const rehearsal_frame* from = bpf::at(frames, n);
    auto* to = reinterpret_cast<u8*>(static_cast<long>(ctx->data));
    if (from == nullptr || n >= c->count || nothing_to_clear(*from) || (from->clears == 0 && is_taken(ctx, *from)) ||
        !fits(to, rehearsal_frame_bytes, reinterpret_cast<u8*>(static_cast<long>(ctx->data_end))))
        return XDP_DROP;
    __builtin_memcpy(to, from->bytes, rehearsal_frame_bytes);
    return XDP_PASS;
}

static const char dual_license[] SEC("license") = "Dual BSD/GPL";
