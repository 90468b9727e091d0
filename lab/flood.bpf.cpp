// A SYN from nobody: writes a whole fresh frame over whatever the buffer held and sends it out of an interface.
// Run with BPF_F_TEST_XDP_LIVE_FRAMES, whose recycled buffers keep what their last owner wrote.
#include "bpf/bpf.hpp"
#include "lab/plan.hpp"

using namespace bpf;
using vestibule::lab::plan;
using vestibule::lab::progress;
namespace lab = vestibule::lab;

// One thread runs the flood, on whatever CPU: nothing here is shared.
map<BPF_MAP_TYPE_ARRAY, u32, plan, 1> plans SEC(".maps");
map<BPF_MAP_TYPE_ARRAY, u32, progress, 1> done SEC(".maps");

namespace {

BPF_INLINE long redirect(u32 ifindex) {
    return reinterpret_cast<long (*)(u32, u64)>(BPF_FUNC_redirect)(ifindex, 0);
}

// Steele, Lea, Flood: SplitMix64. A counter in, 64 random bits out.
BPF_INLINE u64 mix(u64 counter) {
    u64 z = counter * 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

template <class Word>
using unaligned = Word __attribute__((may_alias));

template <class Word>
BPF_INLINE void store(u8* to, Word value) {
    *reinterpret_cast<unaligned<Word>*>(to) = value;
}

// A packed structure would be copied byte by byte.
template <u32 Bytes>
BPF_INLINE void copy(u8* to, const u8* from) {
    static_assert(Bytes % 2 == 0);
#pragma unroll
    for (u32 i = 0; i + 8 <= Bytes; i += 8)
        store(to + i, *reinterpret_cast<const unaligned<u64>*>(from + i));
#pragma unroll
    for (u32 i = Bytes / 8 * 8; i < Bytes; i += 2)
        store(to + i, *reinterpret_cast<const unaligned<u16>*>(from + i));
}

BPF_INLINE u16 checksum(u64 sum) {
    sum = (sum >> 32) + (sum & 0xffffffffU);
    sum = (sum >> 16) + (sum & 0xffffU);
    sum = (sum >> 16) + (sum & 0xffffU);
    sum = (sum >> 16) + (sum & 0xffffU);
    return static_cast<u16>(~sum);
}

// A source port is not a service's.
BPF_INLINE u16 port(u16 random) {
    constexpr u32 lowest = 1024;
    return __builtin_bswap16(static_cast<u16>(lowest + (random * (65536U - lowest) >> 16)));
}

// Draws the next 64 random bits of this frame.
struct dice {
    u64 counter;
    BPF_INLINE u64 roll() { return mix(counter++); }
};

BPF_INLINE u64 write_source(u8* at, u32 words, const plan& p, dice& d) {
    u64 sum = 0;
#pragma unroll
    for (u32 i = 0; i < words; ++i) {
        const u32 word = p.source[i] | (static_cast<u32>(d.roll()) & p.source_mask[i]);
        store(at + 4 * i, word);
        sum += word;
    }
    return sum;
}

BPF_INLINE void write_ipv4(u8* header, const plan& p, u64 source_sum, u16 identification) {
    store(header + 4, identification);
    store(header + 10, checksum(p.network_sum + source_sum + identification));
}

template <bool Timestamps>
BPF_INLINE void write_tcp(u8* header, const plan& p, u64 source_sum, dice& d) {
    const u64 random = d.roll();
    const u16 source_port = port(static_cast<u16>(random));
    const u32 sequence = static_cast<u32>(random >> 32);
    store(header, source_port);
    store(header + 4, sequence);
    u64 sum = source_sum + p.segment_sum + source_port + sequence;
    if constexpr (Timestamps) {
        const u32 clock = static_cast<u32>(d.roll());
        store(header + 28, clock);
        sum += clock;
    }
    store(header + 16, checksum(sum));
}

struct turn {
    u64 due;
    u64 now;
};

long is_due(u64 round [[maybe_unused]], turn* t) {
    t->now = ktime_ns();
    return t->now >= t->due ? 1 : 0;
}

// Frames go out evenly, as from many senders: bursts would measure the receiver's queue instead of the receiver. So who is
// late (this CPU may have had other work) catches up at twice the rate, not at once.
BPF_INLINE u64 await_turn(const plan& p, const progress& so_far) {
    constexpr u64 second = 1'000'000'000;
    constexpr u32 most_rounds = 1U << 20; // more than the longest wait has
    const u64 by_rate = p.start_ns + so_far.frames * second / p.frames_per_sec;
    const u64 by_last = so_far.last_ns + second / 2 / p.frames_per_sec;
    turn t{by_rate > by_last ? by_rate : by_last, 0};
    reinterpret_cast<long (*)(u32, long (*)(u64, turn*), void*, u64)>(BPF_FUNC_loop)(most_rounds, is_due, &t, 0);
    return t.now;
}

template <u32 NetworkBytes, bool Timestamps>
BPF_INLINE int forge(xdp_md* ctx) {
    constexpr u32 options = Timestamps ? lab::linux_options : lab::windows_options;
    constexpr u32 bytes = lab::ethernet_bytes + NetworkBytes + lab::tcp_bytes + options;
    constexpr bool v4 = NetworkBytes == lab::ipv4_bytes;
    u8* frame = reinterpret_cast<u8*>(static_cast<unsigned long>(ctx->data));
    const plan* p = at(plans, 0U);
    progress* so_far = at(done, 0U);
    if (frame + bytes > reinterpret_cast<u8*>(static_cast<unsigned long>(ctx->data_end)) || !p || !so_far)
        return XDP_ABORTED;
    if (p->frames_per_sec != 0)
        so_far->last_ns = await_turn(*p, *so_far);
    constexpr u64 rolls_per_frame = 8;
    dice d{p->seed + rolls_per_frame * so_far->frames++};
    copy<bytes>(frame, p->frame);
    u8* network = frame + lab::ethernet_bytes;
    const u64 source_sum = write_source(network + (v4 ? 12 : 8), v4 ? 1 : 4, *p, d);
    if constexpr (v4)
        write_ipv4(network, *p, source_sum, static_cast<u16>(d.roll()));
    write_tcp<Timestamps>(network + NetworkBytes, *p, source_sum, d);
    return static_cast<int>(redirect(p->ifindex));
}

} // namespace

extern "C" {
SEC("xdp") int syn_v4(xdp_md* ctx) {
    return forge<vestibule::lab::ipv4_bytes, true>(ctx);
}
SEC("xdp") int syn_v4_no_timestamps(xdp_md* ctx) {
    return forge<vestibule::lab::ipv4_bytes, false>(ctx);
}
SEC("xdp") int syn_v6(xdp_md* ctx) {
    return forge<vestibule::lab::ipv6_bytes, true>(ctx);
}
SEC("xdp") int syn_v6_no_timestamps(xdp_md* ctx) {
    return forge<vestibule::lab::ipv6_bytes, false>(ctx);
}
const char dual_license[] SEC("license") = "Dual BSD/GPL";
}
