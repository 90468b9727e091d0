// Cutting a segment down to its acknowledgment: neither data nor FIN are left.
#pragma once

#include "bpf/bpf.hpp"
#include "engine/checksum.hpp"
#include "engine/segment.hpp"

namespace bpf {

using vestibule::segment;

constexpr u32 longest_tcp = 60;

// What the checksum of a segment without data covers besides the addresses.
struct covered {
    u32 length; // in network order, as the next
    u32 protocol;
    u8 header[longest_tcp];
};

} // namespace bpf

extern "C" { // there is no room for it on the stack
bpf::map<BPF_MAP_TYPE_PERCPU_ARRAY, vestibule::u32, bpf::covered, 1> trimmed SEC(".maps");
}

namespace bpf {

BPF_INLINE bool shorten_v4(__sk_buff* ctx, u32 network_at, u16 length) {
    constexpr u32 length_at = 2;
    constexpr u32 checksum_at = 10;
    u16 before = 0;
    return load_bytes(ctx, network_at + length_at, &before, sizeof(before)) == 0 &&
           replace_in_checksum(ctx, network_at + checksum_at, before, length, sizeof(length)) == 0 &&
           store_bytes(ctx, network_at + length_at, &length, sizeof(length)) == 0;
}

BPF_INLINE bool shorten_v6(__sk_buff* ctx, u32 network_at, u16 length) {
    constexpr u32 length_at = 4;
    return store_bytes(ctx, network_at + length_at, &length, sizeof(length), BPF_F_RECOMPUTE_CSUM) == 0;
}

BPF_INLINE bool shorten(__sk_buff* ctx, const segment& s, u32 network_at, u32 length) {
    const auto rest = static_cast<u16>(length - (s.v6 ? sizeof(vestibule::wire::ipv6) : 0));
    const auto as_sent = static_cast<u16>(vestibule::network(rest));
    return s.v6 ? shorten_v6(ctx, network_at, as_sent) : shorten_v4(ctx, network_at, as_sent);
}

BPF_INLINE bool clear_header(__sk_buff* ctx, const segment& s, u32 tcp_at, u32 length) {
    constexpr u32 flags_at = 13;
    constexpr u32 checksum_at = 16;
    covered* c = at(trimmed, u32{0});
    asm volatile("" : "+r"(length)); // or the compiler tests what it is made of, and the verifier knows no bound
    if (c == nullptr || length < sizeof(vestibule::wire::tcp))
        return false;
    asm volatile(
        ""
        : "+r"(length)); // or one comparison serves for both bounds, which the verifier of Linux 6.12 does not see
    if (length > longest_tcp)
        return false;
    *c = {__builtin_bswap32(length), __builtin_bswap32(vestibule::wire::protocol_tcp), {}};
    if (load_bytes(ctx, tcp_at, c->header, length) != 0)
        return false;
    c->header[flags_at] &= static_cast<u8>(~(vestibule::wire::fin | vestibule::wire::psh | vestibule::wire::urg));
    c->header[checksum_at] = c->header[checksum_at + 1] = 0;
    const u32 of_addresses = checksum_of(&s.source, 2 * sizeof(s.source)); // mapped IPv4 ones sum up alike
    const u16 sum = vestibule::folded(checksum_of(c, sizeof(*c), of_addresses));
    __builtin_memcpy(c->header + checksum_at, &sum, sizeof(sum));
    return store_bytes(ctx, tcp_at, c->header, length, BPF_F_RECOMPUTE_CSUM) == 0;
}

} // namespace bpf

// `begin`: where the segment's offsets count from.
extern "C" [[gnu::noinline]] int trim(__sk_buff* ctx, const vestibule::segment* s, vestibule::u32 begin) {
    if (s == nullptr)
        return 0;
    const vestibule::u32 tcp_at = s->options_at - static_cast<vestibule::u32>(sizeof(vestibule::wire::tcp));
    const vestibule::u32 end = s->options_at + s->options_length;
    if (bpf::cut_tail(ctx, begin + end) != 0)
        return 0;
    return bpf::shorten(ctx, *s, begin + s->network_at, end - s->network_at) &&
                   bpf::clear_header(ctx, *s, begin + tcp_at, end - tcp_at)
               ? 1
               : 0;
}
