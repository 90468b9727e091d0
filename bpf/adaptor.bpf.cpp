// The adaptor: an XDP program that meets every frame before the host's stack does and answers the SYNs that the host
// would answer. Frame and moment go to the engine, its outcome becomes an XDP action; nothing else happens here.
#include "bpf/acquaintances.hpp"
#include "bpf/asking.hpp"
#include "bpf/frames.hpp"
#include "bpf/maps.hpp"
#include "bpf/moment.hpp"
#include "bpf/recollection.hpp"
#include "bpf/sending.hpp"
#include "bpf/sockets.hpp"
#include "bpf/ways.hpp"
#include "engine/attempt.hpp"
#include "engine/parse.hpp"

using namespace vestibule;

// Functions of their own, so that the verifier walks headers, options and sockets once and not once for every way on from
// there.
extern "C" [[gnu::noinline]] int read_frame(xdp_md* ctx, segment* s) {
    if (s == nullptr)
        return static_cast<int>(shape::other);
    frame f = bpf::frame_of(ctx);
    f.beyond = s->beyond;
    return static_cast<int>(parse(f, *s));
}

extern "C" [[gnu::noinline]] int read_offer_in_frame(xdp_md* ctx, const segment* s, offer* o) {
    if (s == nullptr || o == nullptr)
        return 0;
    read_options(bpf::frame_of(ctx), *s, *o);
    return 1;
}

// What the host has for the segment. 1: that holds for a while.
extern "C" [[gnu::noinline]] int read_listener(xdp_md* ctx, const segment* s, listener* l) {
    if (s == nullptr || l == nullptr)
        return 0;
    bpf_sock* sk = bpf::socket_for(ctx, *s);
    if (sk == nullptr)
        return 0;
    int holds = 0;
    l->state = socket_state::connection;
    if (sk->state == BPF_TCP_LISTEN)
        if (tcp_sock* tcp = bpf::to_tcp(sk); tcp != nullptr) {
            *l = bpf::describe(tcp);
            holds = bpf::holds_for_a_while(tcp) ? 1 : 0;
        }
    bpf::release(sk);
    return holds;
}

namespace {

struct port {
    xdp_md* ctx;
    u64 now_ms;
    bpf::recollection* recalled = nullptr;

    BPF_INLINE const answer* answer_for(const endpoint& where) {
        recalled = bpf::recall(where);
        return recalled == nullptr ? nullptr : &recalled->said;
    }

    BPF_INLINE listener listener_for(const segment& s) const {
        if (recalled != nullptr && recalled->seen_ms == now_ms && bpf::surely_unacquainted(s))
            return recalled->seen;
        return look_up(s);
    }

    BPF_INLINE way way_for(const segment& s) const { return bpf::way_for(ctx->ingress_ifindex, s); }

private:
    BPF_INLINE listener look_up(const segment& s) const {
        const segment copy = s; // as in offer_in
        listener l{};
        if (read_listener(ctx, &copy, &l) != 0)
            remember(l);
        return l;
    }

    BPF_INLINE void remember(const listener& l) const {
        if (recalled == nullptr)
            return;
        recalled->seen = l;
        recalled->seen_ms = now_ms;
    }
};

// What is handed to a function that is not inlined lies in memory from then on: a copy does, so that `s` need not.
BPF_INLINE offer offer_in(xdp_md* ctx, const segment& s) {
    offer usual{};
    if (read_usual_options(bpf::frame_of(ctx), s, usual))
        return usual;
    const segment copy = s;
    offer other{};
    read_offer_in_frame(ctx, &copy, &other);
    return other;
}

// A SYN that the stack may make a half-open connection of.
BPF_INLINE bool may_begin_in_the_stack(const outcome& o) {
    return o.act == action::pass && o.why != reason::no_listener && o.why != reason::rehearsal;
}

BPF_INLINE outcome meet(xdp_md* ctx, const segment& s) {
    if (!has(s, wire::syn))
        return {action::pass, reason::not_an_attempt};
    const key_ring* ring = bpf::key_ring();
    const settings* set = bpf::settings();
    if (ring == nullptr || set == nullptr)
        return {action::pass, reason::stopping};
    const circumstances c{*ring, bpf::now_ms(), ctx->ingress_ifindex, set->rehearsal_token, set->answering != 0};
    const frame f = bpf::frame_of(ctx);
    port p{ctx, c.now_ms};
    synack r{};
    const outcome o = judge_attempt(f, s, offer_in(ctx, s), c, p, r);
    if (o.why == reason::no_answer_on_file)
        bpf::ask_for_rehearsal(f, s, c);
    if (may_begin_in_the_stack(o))
        bpf::acquaint(s.source, s.source_port);
    if (o.act == action::reply && !bpf::send_back(ctx, s, r))
        return {action::pass, reason::reply_too_long};
    return o;
}

// Few frames have fragments, and to ask costs: only where the packet claims more than can be read here.
BPF_INLINE outcome meet_any(xdp_md* ctx) {
    segment s{};
    int how = read_frame(ctx, &s);
    if (how == static_cast<int>(shape::malformed)) {
        const frame f = bpf::frame_of(ctx);
        s = {};
        s.beyond = static_cast<u32>(bpf::frame_length(ctx) - static_cast<u64>(f.end - f.begin));
        how = s.beyond == 0 ? how : read_frame(ctx, &s);
    }
    return how == static_cast<int>(shape::tcp) ? meet(ctx, s) : judge_unread(static_cast<shape>(how));
}

// Plain frames have a copy of what meets any frame, in which the compiler knows more: a fifth of the time, and nothing else,
// is different.
BPF_INLINE outcome receive(xdp_md* ctx) {
    segment s{};
    if (parse_plain(bpf::frame_of(ctx), s))
        return meet(ctx, s);
    return meet_any(ctx);
}

} // namespace

extern "C" SEC("xdp.frags") int adaptor(xdp_md* ctx) {
    const outcome o = receive(ctx);
    bpf::count(o.why);
    if (o.act == action::drop)
        return XDP_DROP;
    if (o.act != action::reply)
        return XDP_PASS;
    bpf::count_reply(ctx->ingress_ifindex);
    return XDP_TX;
}

static const char dual_license[] SEC("license") = "Dual BSD/GPL";
