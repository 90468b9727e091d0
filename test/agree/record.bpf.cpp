// The engine by itself on the BPF machine: one frame and one question in, all that the engine makes of them out. What the
// shipped programs cannot show in BPF_PROG_TEST_RUN (a record that the kernel there refuses to take) is seen here.
#include "bpf/sockets.hpp"
#include "engine/completion.hpp"
#include "engine/parse.hpp"
#include "test/agree/question.hpp"

extern "C" {
bpf::map<BPF_MAP_TYPE_ARRAY, vestibule::u32, vestibule::test::question, 1> questions SEC(".maps");
bpf::map<BPF_MAP_TYPE_ARRAY, vestibule::u32, vestibule::test::finding, 1> findings SEC(".maps");
}

namespace {

using namespace vestibule;
using namespace vestibule::test;

BPF_INLINE frame frame_of(xdp_md* ctx) {
    return {reinterpret_cast<u8*>(static_cast<long>(ctx->data)),
            reinterpret_cast<u8*>(static_cast<long>(ctx->data_end))};
}

} // namespace

// Functions of their own, for the same reason as in the adaptor.
extern "C" [[gnu::noinline]] int read_segment(xdp_md* ctx, segment* s) {
    if (s == nullptr)
        return static_cast<int>(shape::other);
    frame f = frame_of(ctx);
    f.beyond = static_cast<u32>(bpf::frame_length(ctx) - static_cast<u64>(f.end - f.begin));
    return static_cast<int>(parse(f, *s));
}

extern "C" [[gnu::noinline]] int read_offer(xdp_md* ctx, const segment* s, offer* o) {
    if (s == nullptr || o == nullptr)
        return 0;
    read_options(frame_of(ctx), *s, *o);
    return 1;
}

namespace {

struct port {
    const question& q;

    BPF_INLINE const answer* answer_for(const endpoint&) const { return q.has_answer != 0 ? &q.on_file : nullptr; }
    BPF_INLINE listener listener_for(const segment&) const { return q.socket; }
    BPF_INLINE way way_for(const segment&) const { return q.back; }
};

BPF_INLINE listener look(xdp_md* ctx, const segment& s) {
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

BPF_INLINE void find(xdp_md* ctx, const question& q, finding& found) {
    segment s{};
    s.vlan = q.stripped;
    found.how = static_cast<u32>(read_segment(ctx, &s));
    found.s = s;
    if (found.how != static_cast<u32>(shape::tcp))
        return;
    offer o{};
    read_offer(ctx, &s, &o);
    found.o = o;
    found.local = local_end(s, q.ifindex);
    found.seen = look(ctx, s);
    const circumstances c{q.keys, q.now_ms, q.ifindex, q.rehearsal_token, q.answering != 0};
    const port p{q};
    found.attempt = judge_attempt(frame_of(ctx), s, o, c, p, found.reply);
    found.completion = judge_completion(s, o, q.socket, c, p, found.record);
}

} // namespace

extern "C" SEC("xdp.frags") int record(xdp_md* ctx) {
    const question* q = bpf::at(questions, u32{0});
    finding* found = bpf::at(findings, u32{0});
    if (q != nullptr && found != nullptr)
        find(ctx, *q, *found);
    return XDP_PASS;
}

extern "C" const char dual_license[] SEC("license") = "Dual BSD/GPL";
