// The world beyond the client: frames to and from the addresses that a flood forges end here, and are counted; all
// others pass. Without it, the client's stack would work on answers that are not for it, on CPUs that others need.
#include "bpf/bpf.hpp"

using namespace bpf;

struct count {
    u64 frames;
};

map<BPF_MAP_TYPE_PERCPU_ARRAY, u32, count, 1> sunk SEC(".maps");

namespace {

constexpr u32 network = 14; // offset of the IP header

BPF_INLINE u32 word(const u8* at) {
    return __builtin_bswap32(*reinterpret_cast<const u32 __attribute__((may_alias))*>(at));
}

// Of RFC 2544 and RFC 5180, as vestibule-flood's random sources are by default.
BPF_INLINE bool forged_v4(const u8* address) {
    return (word(address) & 0xfffe0000U) == 0xc6120000U; // 198.18.0.0/15
}
BPF_INLINE bool forged_v6(const u8* address) {
    return word(address) == 0x20010002U && address[4] == 0 && address[5] == 0; // 2001:2::/48
}

BPF_INLINE bool is_forged(const u8* frame, const u8* end) {
    constexpr u32 v4_bytes = 20;
    constexpr u32 v6_bytes = 40;
    const u8* ip = frame + network;
    if (ip + v4_bytes > end)
        return false;
    if (frame[12] == 0x08 && frame[13] == 0x00)
        return forged_v4(ip + 12) || forged_v4(ip + 16);
    if (frame[12] == 0x86 && frame[13] == 0xdd && ip + v6_bytes <= end)
        return forged_v6(ip + 8) || forged_v6(ip + 24);
    return false;
}

} // namespace

extern "C" {
SEC("xdp.frags") int sink(xdp_md* ctx) {
    const u8* frame = reinterpret_cast<u8*>(static_cast<unsigned long>(ctx->data));
    const u8* end = reinterpret_cast<u8*>(static_cast<unsigned long>(ctx->data_end));
    count* c = at(sunk, 0U);
    if (c == nullptr || !is_forged(frame, end))
        return XDP_PASS;
    ++c->frames;
    return XDP_DROP;
}
const char dual_license[] SEC("license") = "Dual BSD/GPL";
}
