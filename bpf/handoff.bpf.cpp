// The handoff: a TC ingress program on the host that serves. It gives segments of known connections their socket, and
// turns a segment that completes one of the adaptor's handshakes into a connection of the host's stack. It believes no
// mark made earlier: the cookie alone proves the handshake, wherever the adaptor stands.
//
// One thing is hard here. The driver hands frames up in batches, and this program sees every frame of a batch before TCP
// sees the first. A peer that sends right after its ACK puts both into one batch: at the second segment the look-up still
// finds the listener, since the connection does not exist yet. A second record would make the stack drop that segment as a
// duplicate, and the peer would wait for its retransmission timer. So each CPU remembers, for a few milliseconds, exactly
// which 4-tuples it has just admitted (bpf/admissions.hpp), and lets their further segments pass as they are: when their
// turn comes, the stack's own look-up finds the connection. The memory must be exact. A hash in place of the 4-tuple would,
// now and then, take a stranger's completing ACK for a follower, and the stack would reset it.
//
// Connection tracking, too, sees all of a batch before TCP sees the first. It has not seen the SYN, so each segment makes
// an entry of its own: the first is confirmed, and the others, which clash with it, are dropped. Therefore, where it is in
// use (answer::tracked), followers go round (bpf/detours.hpp): behind the batch they come back, one by one and in their
// order, and find both the entry and the connection. Until all are back, whatever else comes of that connection goes behind
// them, though its socket is there by then. A segment that is handed over untracked makes no entry: the first burst would
// clash with itself, however late it came, and the host's answer would make an entry that has the host open the connection.
// So that segment, too, goes round, as the first of its followers, and what is handed over is its acknowledgment alone: the
// segment itself where there is no more to it (to TCP it then comes twice, which does no harm), else one cut down to that.
// Who comes back and finds but the listener is dropped: nothing was built, and the peer, not reset, sends again.
#include "bpf/admissions.hpp"
#include "bpf/buffer.hpp"
#include "bpf/detours.hpp"
#include "bpf/frames.hpp"
#include "bpf/maps.hpp"
#include "bpf/sockets.hpp"
#include "bpf/trimming.hpp"
#include "bpf/vitals.hpp"
#include "engine/completion.hpp"
#include "engine/parse.hpp"

namespace {

using namespace vestibule;

constexpr int next = -1; // TCX_NEXT: to the next program, then to the stack
constexpr int shot = 2;  // TC_ACT_SHOT

// After a generic XDP program the kernel may show this hook the packet without its link header: when it copies the buffer
// to make room (skb_pp_cow_data) it forgets mac_len. A link header says the packet's type where it ends; and 0x45, the
// usual first byte of an IPv4 header, begins no station's address.
BPF_INLINE bool starts_at_network(const frame& f, be16 type) {
    const auto* e = reinterpret_cast<const wire::ethernet*>(f.begin);
    if (!fits(e, sizeof(*e), f.end))
        return false;
    constexpr u8 usual_ipv4 = 0x45;
    return e->type != type || (type == wire::type_ipv4 && e->destination[0] == usual_ipv4);
}

} // namespace

// Functions of their own, so that the verifier walks headers and options once and not once for every way on from there.
extern "C" [[gnu::noinline]] int read_packet(__sk_buff* ctx, segment* s) {
    if (s == nullptr)
        return static_cast<int>(shape::other);
    frame f = bpf::frame_of(ctx);
    f.beyond = ctx->len - static_cast<u32>(f.end - f.begin);
    const auto type = static_cast<be16>(ctx->protocol);
    const bool bare = starts_at_network(f, type);
    return static_cast<int>(bare ? parse_packet(f, 0, type, *s) : parse(f, *s));
}

extern "C" [[gnu::noinline]] int read_offer_in_packet(__sk_buff* ctx, const segment* s, offer* o) {
    if (s == nullptr || o == nullptr)
        return 0;
    read_options(bpf::frame_of(ctx), *s, *o);
    return 1;
}

namespace {

struct port {
    answer* found;

    BPF_INLINE const answer* answer_for(const endpoint& where) {
        found = bpf::at(answers, where);
        return found;
    }
};

BPF_INLINE bpf_tcp_req_attrs attributes(const established& e) {
    return {.rcv_tsval = e.peer_timestamp,
            .rcv_tsecr = e.timestamp_now,
            .mss = e.mss,
            .rcv_wscale = e.local_shift,
            .snd_wscale = e.peer_shift,
            .ecn_ok = e.ecn,
            .wscale_ok = e.window_scale,
            .sack_ok = e.sack,
            .tstamp_ok = e.timestamps,
            .usec_ts_ok = 0,
            .reserved = {}};
}

BPF_INLINE outcome hand_over(__sk_buff* ctx, tcp_sock* tcp, const established& e) {
    bpf_tcp_req_attrs attrs = attributes(e);
    if (bpf_sk_assign_tcp_reqsk(ctx, reinterpret_cast<sock*>(tcp), &attrs, sizeof(attrs)) != 0)
        return {action::pass, reason::handoff_failed};
    return {action::admit, reason::admitted};
}

BPF_INLINE bool goes_round(__sk_buff* ctx, const segment& s, bpf::admission& leader, const settings& set) {
    if (!bpf::may_detour(ctx, s, leader))
        return false;
    bpf::depart(ctx, leader, set);
    return true;
}

BPF_INLINE outcome follow(__sk_buff* ctx, const segment& s, bpf::admission& leader, const settings& set) {
    if (leader.buffer == buffer_of(ctx)) // then the one admitted is gone, without a reset
        leader.buffer = 0;
    return {action::pass, goes_round(ctx, s, leader, set) ? reason::sent_round : reason::just_admitted};
}

// Behind those of its connection that are under way.
BPF_INLINE bool goes_behind(__sk_buff* ctx, const segment& s, const settings& set) {
    if (!bpf::detours_under_way())
        return false;
    bpf::admission* leader = bpf::admission_of(s, bpf::ktime_ns());
    return leader != nullptr && leader->under_way != 0 && goes_round(ctx, s, *leader, set);
}

// The acknowledgment alone. A copy of the whole follows, which is tracked.
BPF_INLINE void keep_untracked(__sk_buff* ctx, const segment& s, bpf::admission& self, const settings& set) {
    if (goes_round(ctx, s, self, set) && bpf::receive_copy(ctx, ctx->ifindex) == 0) {
        bpf::count(reason::sent_round);
        if (s.payload_length != 0 || has(s, wire::fin))
            trim(ctx, &s, s.network_at == 0 ? sizeof(wire::ethernet) : 0); // where it was missing, it is there now
    }
    ctx->mark = set.untracked_mark;
}

BPF_INLINE void take_note(__sk_buff* ctx, const segment& s, const endpoint& local, const answer* a, u64 now_ns,
                          const settings& set) {
    const u8 detours = a != nullptr && a->tracked != 0 ? bpf::most_detours : u8{0};
    bpf::admission* self = bpf::remember(s, local, now_ns, buffer_of(ctx), detours);
    if (self != nullptr && a != nullptr && a->form == handoff_form::untracked)
        keep_untracked(ctx, s, *self, set);
}

BPF_INLINE outcome complete(__sk_buff* ctx, const segment& s, tcp_sock* tcp, const settings& set) {
    const u64 now_ns = bpf::ktime_ns();
    const key_ring* ring = bpf::key_ring();
    if (ring == nullptr)
        return {action::pass, reason::not_served};
    if (bpf::admission* leader = bpf::admission_of(s, now_ns); leader != nullptr)
        return follow(ctx, s, *leader, set);
    const circumstances c{*ring, now_ns / 1'000'000, ctx->ifindex, set.rehearsal_token, true};
    offer offered{};
    read_offer_in_packet(ctx, &s, &offered);
    const listener l = bpf::describe(tcp);
    port p{};
    established e{};
    outcome o = judge_completion(s, offered, l, c, p, e);
    if (o.act != action::admit)
        return o;
    if (l.queue_full)
        return {action::drop, reason::accept_queue_full};
    o = hand_over(ctx, tcp, e);
    const endpoint local = local_end(s, c.ifindex);
    if (o.act != action::admit) {
        bpf::refused(local);
        return o;
    }
    take_note(ctx, s, local, p.found, now_ns, set);
    return o;
}

// An established connection's socket goes with the segment, so that the stack need not look again. In any other state a
// segment earlier in the same batch may put another socket in its place (FIN-WAIT-2), and this one would be lost.
BPF_INLINE outcome claim(__sk_buff* ctx, const segment& s, bpf_sock* sk, const settings& set) {
    if (goes_behind(ctx, s, set))
        return {action::pass, reason::sent_round};
    if (sk->state == BPF_TCP_ESTABLISHED)
        bpf::assign(ctx, sk);
    return {action::pass, reason::known_connection};
}

BPF_INLINE outcome find_socket(__sk_buff* ctx, const segment& s, const settings& set) {
    bpf_sock* sk = bpf::socket_for(ctx, s);
    if (sk == nullptr)
        return {action::pass, reason::no_socket};
    outcome o{action::pass, reason::not_served};
    if (sk->state != BPF_TCP_LISTEN)
        o = claim(ctx, s, sk, set);
    else if (tcp_sock* tcp = bpf::to_tcp(sk); tcp != nullptr)
        o = complete(ctx, s, tcp, set);
    bpf::release(sk);
    return o;
}

// The second time round, and counted the first time.
BPF_INLINE outcome come_back(__sk_buff* ctx, const segment& s) {
    constexpr outcome passed{action::pass, reason::count};
    bpf_sock* sk = bpf::socket_for(ctx, s);
    if (sk == nullptr)
        return passed;
    if (sk->state == BPF_TCP_ESTABLISHED)
        bpf::assign(ctx, sk);
    const bool built = sk->state != BPF_TCP_LISTEN;
    bpf::release(sk);
    return built ? passed : outcome{action::drop, reason::not_built};
}

BPF_INLINE bool is_built(__sk_buff* ctx, const segment& s) {
    bpf_sock* sk = bpf::socket_for(ctx, s);
    if (sk == nullptr)
        return false;
    const bool built = sk->state != BPF_TCP_LISTEN;
    bpf::release(sk);
    return built;
}

// Without the entry that the one admitted makes, connection tracking would hold it invalid.
BPF_INLINE outcome reset(__sk_buff* ctx, const segment& s, const settings& set) {
    bpf::admission* leader = bpf::admission_of(s, bpf::ktime_ns());
    const bool follows = leader != nullptr && leader->detours != 0 && (leader->under_way != 0 || !is_built(ctx, s));
    return {action::pass, follows && goes_round(ctx, s, *leader, set) ? reason::sent_round : reason::not_a_completion};
}

// Our own stray ACKs ask whether the packet filter would let a completing segment through; one kind asks for the
// untracked form. They are told apart by what they acknowledge.
BPF_INLINE outcome rehearse(__sk_buff* ctx, const segment& s, const settings& set) {
    constexpr u32 asks_untracked = 2;
    if (s.acknowledgment == (set.rehearsal_token ^ asks_untracked))
        ctx->mark = set.untracked_mark;
    return {action::pass, reason::rehearsal};
}

BPF_INLINE outcome receive(__sk_buff* ctx) {
    const settings* set = bpf::settings();
    constexpr u32 all_headers =
        14 + 8 + 60 + 60; // longer ones (IPv6 extensions) are in the linear part or are not read
    if (ctx->data_end - ctx->data < all_headers && ctx->data_end - ctx->data < ctx->len)
        bpf::pull_data(ctx, ctx->len < all_headers ? ctx->len : all_headers);
    segment s{};
    s.vlan.outer = ctx->vlan_present != 0 ? static_cast<u16>(ctx->vlan_tci & 0x0fff) : u16{0};
    if (read_packet(ctx, &s) != static_cast<int>(shape::tcp) || set == nullptr)
        return {action::pass, reason::not_tcp};
    if (bpf::back_from_detour(ctx, s, *set))
        return come_back(ctx, s);
    if (!has(s, wire::ack) || has(s, wire::syn) || s.fragmented)
        return {action::pass, reason::not_a_completion};
    if (has(s, wire::rst))
        return reset(ctx, s, *set);
    if (s.sequence == set->rehearsal_token)
        return rehearse(ctx, s, *set);
    return find_socket(ctx, s, *set);
}

} // namespace

extern "C" SEC("tc") int handoff(__sk_buff* ctx) {
    const outcome o = receive(ctx);
    bpf::count(o.why);
    if (o.why == reason::sent_round)
        return bpf::receive_again(ctx->ifindex);
    return o.act == action::drop ? shot : next;
}

static const char dual_license[] SEC("license") = "Dual BSD/GPL";
