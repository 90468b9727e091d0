// The adaptor: an XDP program that meets every frame before the host's stack does and answers the SYNs that the host
// would answer. Frame and moment go to the engine, its outcome becomes an XDP action; nothing else happens here.
#include "bpf/frames.hpp"
#include "bpf/maps.hpp"
#include "bpf/sockets.hpp"
#include "engine/attempt.hpp"
#include "engine/parse.hpp"

namespace {

using namespace vestibule;

struct asking {
    u64 last_ms;
};

// Endpoints whose rehearsal was asked for, so that a flood asks once a second and not a million times.
constexpr u64 ask_again_ms = 1000;
constexpr u64 most_asked_a_second = 200; // on each processor

struct budget {
    u64 since_ms;
    u64 spent;
};

} // namespace

extern "C" {
bpf::map<BPF_MAP_TYPE_LRU_HASH, endpoint, asking, 4096> asked SEC(".maps");
bpf::map<BPF_MAP_TYPE_PERCPU_ARRAY, u32, budget, 1> asking_budget SEC(".maps");
}

// Functions of their own, so that the verifier walks headers and options once and not once for every way on from there.
extern "C" [[gnu::noinline]] int read_segment(xdp_md* ctx, segment* s) {
    if (s == nullptr)
        return static_cast<int>(shape::other);
    frame f = bpf::frame_of(ctx);
    f.beyond = s->beyond;
    return static_cast<int>(parse(f, *s));
}

extern "C" [[gnu::noinline]] int read_offer(xdp_md* ctx, const segment* s, offer* o) {
    if (s == nullptr || o == nullptr)
        return 0;
    *o = read_options(bpf::frame_of(ctx), *s);
    return 1;
}

namespace {

struct port {
    xdp_md* ctx;

    BPF_INLINE const answer* answer_for(const endpoint& where) const { return bpf::at(answers, where); }

    BPF_INLINE listener listener_for(const segment& s) const {
        listener l{};
        bpf_sock* sk = bpf::socket_for(ctx, s);
        if (sk == nullptr)
            return l;
        l.state = socket_state::connection;
        if (sk->state == BPF_TCP_LISTEN)
            if (tcp_sock* tcp = bpf::to_tcp(sk); tcp != nullptr)
                l = bpf::describe(tcp);
        bpf::release(sk);
        return l;
    }
};

// A wildcard listener is found for any destination, be it this host's or not: traffic in transit could ask without end.
BPF_INLINE bool within_budget(u64 now_ms) {
    budget* b = bpf::at(asking_budget, u32{0});
    if (b == nullptr)
        return false;
    if (now_ms - b->since_ms >= 1000) {
        b->since_ms = now_ms;
        b->spent = 0;
    }
    return b->spent++ < most_asked_a_second;
}

BPF_INLINE void ask_for_rehearsal(const frame& f, const segment& s, const circumstances& c) {
    const endpoint where = local_end(s, c.ifindex);
    const asking* before = bpf::at(asked, where);
    if (before != nullptr && c.now_ms - before->last_ms < ask_again_ms)
        return;
    if (!within_budget(c.now_ms))
        return;
    bpf::put(asked, where, asking{c.now_ms});
    event e{event_kind::rehearsal_wanted, {}, 0, where, s.source};
    if (fits(f.begin, sizeof(wire::ethernet), f.end))
        __builtin_memcpy(e.link, f.begin + 6, 6);
    bpf::emit(events, &e, sizeof(e));
}

constexpr u32 mss_option = 4;

// The one reply longer than its SYN names an MSS where the SYN named none. There is always room at the head; at the tail a
// veth may have none. The link header moves up.
BPF_INLINE bool grow(xdp_md* ctx) {
    constexpr u32 longest_link = sizeof(wire::ethernet) + 2 * sizeof(wire::vlan);
    if (bpf::adjust_head(ctx, -static_cast<int>(mss_option)) != 0)
        return false;
    const frame f = bpf::frame_of(ctx);
    if (!fits(f.begin, mss_option + longest_link, f.end))
        return false;
    u8 link[longest_link];
    __builtin_memcpy(link, f.begin + mss_option, sizeof(link));
    __builtin_memcpy(f.begin, link, sizeof(link));
    return true;
}

// Turns the frame into the reply. A SYN may carry data in fragments of a jumbo frame: they go too.
BPF_INLINE bool send_back(xdp_md* ctx, const segment& s, const synack& r) {
    const frame f = bpf::frame_of(ctx);
    const int change =
        static_cast<int>(reply_length(s, r)) - static_cast<int>(f.end - f.begin) - static_cast<int>(s.beyond);
    if (change == static_cast<int>(mss_option) ? !grow(ctx) : change != 0 && bpf::adjust_tail(ctx, change) != 0)
        return false;
    return write_synack(bpf::frame_of(ctx), s, r);
}

// Few frames have fragments, and to ask costs: only where the packet claims more than can be read here.
BPF_INLINE shape read(xdp_md* ctx, segment& s) {
    const auto how = static_cast<shape>(read_segment(ctx, &s));
    if (how != shape::malformed)
        return how;
    const frame f = bpf::frame_of(ctx);
    s = {};
    s.beyond = static_cast<u32>(bpf::frame_length(ctx) - static_cast<u64>(f.end - f.begin));
    return s.beyond == 0 ? how : static_cast<shape>(read_segment(ctx, &s));
}

BPF_INLINE outcome meet(xdp_md* ctx) {
    const key_ring* ring = bpf::key_ring();
    const settings* set = bpf::settings();
    if (ring == nullptr || set == nullptr)
        return {action::pass, reason::stopping};
    segment s{};
    const shape how = read(ctx, s);
    if (how != shape::tcp)
        return judge_unread(how);
    if (!has(s, wire::syn))
        return {action::pass, reason::not_an_attempt};
    const circumstances c{*ring, bpf::now_ms(), ctx->ingress_ifindex, set->rehearsal_token, set->answering != 0};
    offer offered{};
    read_offer(ctx, &s, &offered);
    const frame f = bpf::frame_of(ctx);
    port p{ctx};
    synack r{};
    const outcome o = judge_attempt(f, s, offered, c, p, r);
    if (o.why == reason::no_answer_on_file)
        ask_for_rehearsal(f, s, c);
    if (o.act == action::reply && !send_back(ctx, s, r))
        return {action::pass, reason::reply_too_long};
    return o;
}

} // namespace

extern "C" SEC("xdp.frags") int adaptor(xdp_md* ctx) {
    const outcome o = meet(ctx);
    bpf::count(o.why);
    if (o.act == action::drop)
        return XDP_DROP;
    return o.act == action::reply ? XDP_TX : XDP_PASS;
}

extern "C" const char dual_license[] SEC("license") = "Dual BSD/GPL";
