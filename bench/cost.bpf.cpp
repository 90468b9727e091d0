// Runs another XDP program over and over on the same frame. BPF_PROG_TEST_RUN's `repeat` hands each run what the last
// left of the frame, so it is written anew before each; what that takes is measured too, by `rewrite`.
#include "bench/specimen.hpp"
#include "bpf/bpf.hpp"

using namespace bpf;
using vestibule::bench::specimen;

map<BPF_MAP_TYPE_ARRAY, u32, specimen, 1> specimens SEC(".maps");
map<BPF_MAP_TYPE_PROG_ARRAY, u32, u32, 1> measured SEC(".maps");

namespace {

BPF_INLINE long store_bytes(xdp_md* ctx, u32 offset, const void* from, u32 length) {
    return reinterpret_cast<long (*)(xdp_md*, u32, const void*, u32)>(BPF_FUNC_xdp_store_bytes)(ctx, offset, from,
                                                                                                length);
}
BPF_INLINE void tail_call(xdp_md* ctx, u32 index) {
    reinterpret_cast<void (*)(xdp_md*, void*, u32)>(BPF_FUNC_tail_call)(ctx, &measured, index);
}

struct ports_and_sequence {
    u16 source;
    u16 destination;
    u16 sequence_high;
    u16 sequence_low;
};

// Another peer each time, or the look-up of its socket would always find the same lines in the cache. Port and low half
// of the sequence number are each other's complement, so the checksum stays right (RFC 1071 section 2).
BPF_INLINE void change_peer(specimen& s) {
    auto* to = reinterpret_cast<ports_and_sequence*>(s.bytes + (s.v6 != 0 ? 54 : 34));
    s.turn += 0x9e37;
    to->source = static_cast<u16>(s.turn);
    to->sequence_low = static_cast<u16>(~s.turn);
}

// False: the frame's length has changed, and it cannot be written anew.
BPF_INLINE bool write_anew(xdp_md* ctx) {
    specimen* s = at(specimens, 0U);
    if (s == nullptr || s->length == 0 || s->length > sizeof(s->bytes) || ctx->data_end - ctx->data != s->length)
        return false;
    change_peer(*s);
    return store_bytes(ctx, 0, s->bytes, s->length) == 0;
}

BPF_INLINE bool swap_links(xdp_md* ctx) {
    u16* half = reinterpret_cast<u16*>(static_cast<unsigned long>(ctx->data));
    if (half + 6 > reinterpret_cast<u16*>(static_cast<unsigned long>(ctx->data_end)))
        return false;
#pragma unroll
    for (u32 i = 0; i < 3; ++i) {
        const u16 destination = half[i];
        half[i] = half[i + 3];
        half[i + 3] = destination;
    }
    return true;
}

} // namespace

extern "C" {
SEC("xdp.frags") int rewrite(xdp_md* ctx) {
    return write_anew(ctx) ? XDP_TX : XDP_ABORTED;
}
SEC("xdp.frags") int swap(xdp_md* ctx) {
    return write_anew(ctx) && swap_links(ctx) ? XDP_TX : XDP_ABORTED;
}
SEC("xdp.frags") int run_measured(xdp_md* ctx) {
    if (write_anew(ctx))
        tail_call(ctx, 0);
    return XDP_ABORTED;
}
const char dual_license[] SEC("license") = "Dual BSD/GPL";
}
