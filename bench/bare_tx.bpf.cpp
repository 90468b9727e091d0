// The least that an answer to a SYN can cost: swap the link addresses and send the frame back. A yardstick, not an answer.
#include "bpf/bpf.hpp"

using namespace bpf;

struct count {
    u64 frames;
};

map<BPF_MAP_TYPE_PERCPU_ARRAY, u32, count, 1> returned SEC(".maps");

namespace {

constexpr u32 ethernet_bytes = 14;
constexpr u32 ipv4_flags_at = ethernet_bytes + 20 + 13;
constexpr u32 ipv6_flags_at = ethernet_bytes + 40 + 13;
constexpr u32 shortest = ethernet_bytes + 20 + 20;
constexpr u8 tcp = 6;
constexpr u8 syn = 0x02;

// Frames without IPv4 options or IPv6 extension headers: a flood has none.
BPF_INLINE bool is_syn(const u8* frame, const u8* end) {
    if (frame[12] == 0x08 && frame[13] == 0x00)
        return frame[14] == 0x45 && frame[23] == tcp && frame[ipv4_flags_at] == syn;
    const bool v6 = frame[12] == 0x86 && frame[13] == 0xdd;
    return v6 && frame + ipv6_flags_at < end && frame[20] == tcp && frame[ipv6_flags_at] == syn;
}

BPF_INLINE void swap_links(u8* frame) {
    u16* half = reinterpret_cast<u16*>(frame);
#pragma unroll
    for (u32 i = 0; i < 3; ++i) {
        const u16 destination = half[i];
        half[i] = half[i + 3];
        half[i + 3] = destination;
    }
}

} // namespace

extern "C" {
SEC("xdp.frags") int bare_tx(xdp_md* ctx) {
    u8* frame = reinterpret_cast<u8*>(static_cast<unsigned long>(ctx->data));
    const u8* end = reinterpret_cast<u8*>(static_cast<unsigned long>(ctx->data_end));
    count* c = at(returned, 0U);
    if (frame + shortest > end || !is_syn(frame, end) || !c)
        return XDP_PASS;
    swap_links(frame);
    ++c->frames;
    return XDP_TX;
}
const char dual_license[] SEC("license") = "Dual BSD/GPL";
}
