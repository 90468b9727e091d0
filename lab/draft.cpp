#include "lab/draft.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <span>

namespace vestibule::lab {

namespace {

using bytes = std::span<const u8>;

// Sum of 16-bit words in memory order, not folded.
u32 sum_of(bytes from) {
    u32 sum = 0;
    for (std::size_t i = 0; i + 1 < from.size(); i += 2) {
        u16 word;
        std::memcpy(&word, &from[i], sizeof(word));
        sum += word;
    }
    return sum;
}

template <class Header>
u8* append(u8* to, const Header& header) {
    std::memcpy(to, &header, sizeof(header));
    return to + sizeof(header);
}

ethhdr ethernet(const target& to) {
    ethhdr header{};
    std::copy(to.link.begin(), to.link.end(), header.h_dest);
    std::copy(to.out.address.begin(), to.out.address.end(), header.h_source);
    header.h_proto = htons(to.address.v4 ? ETH_P_IP : ETH_P_IPV6);
    return header;
}

iphdr ipv4(const target& to, u16 segment_bytes) {
    iphdr header{};
    header.version = 4;
    header.ihl = 5;
    header.tot_len = htons(static_cast<u16>(ipv4_bytes + segment_bytes));
    header.frag_off = htons(0x4000); // do not fragment
    header.ttl = 64;
    header.protocol = IPPROTO_TCP;
    header.daddr = to.address.address[0];
    return header;
}

ipv6hdr ipv6(const target& to, u16 segment_bytes) {
    ipv6hdr header{};
    header.version = 6;
    header.payload_len = htons(segment_bytes);
    header.nexthdr = IPPROTO_TCP;
    header.hop_limit = 64;
    std::memcpy(&header.daddr, to.address.address.data(), sizeof(header.daddr));
    return header;
}

tcphdr tcp(u16 port, u32 options) {
    tcphdr header{};
    header.dest = htons(port);
    header.doff = static_cast<u8>((tcp_bytes + options) / 4) & 0xfU;
    header.syn = 1;
    header.window = htons(64240);
    return header;
}

constexpr std::array<u8, linux_options> with_timestamps = {2, 4, 1460 >> 8, 1460 & 0xff, 4, 2, 8, 10, 0, 0,
                                                           0, 0, 0,         0,           0, 0, 1, 3,  3, 7};
constexpr std::array<u8, windows_options> without_timestamps = {2, 4, 1460 >> 8, 1460 & 0xff, 1, 3, 3, 8, 1, 1, 4, 2};

u32 pseudo_header_sum(const target& to, u32 segment_bytes) {
    const bytes destination{reinterpret_cast<const u8*>(to.address.address.data()), to.address.v4 ? 4U : 16U};
    return sum_of(destination) + htons(static_cast<u16>(segment_bytes)) + htons(IPPROTO_TCP);
}

u64 seed() {
    u64 random = 0;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        random = 1; // early in boot; any seed will do
    return random;
}

} // namespace

drafted draft(const target& to, const prefix& sources, bool timestamps) {
    const u32 options = timestamps ? linux_options : windows_options;
    const u16 segment_bytes = static_cast<u16>(tcp_bytes + options);
    drafted result{};
    plan& p = result.plan;
    u8* const network = append(p.frame, ethernet(to));
    u8* const segment =
        to.address.v4 ? append(network, ipv4(to, segment_bytes)) : append(network, ipv6(to, segment_bytes));
    u8* const after_header = append(segment, tcp(to.port, options));
    u8* const end = timestamps ? append(after_header, with_timestamps) : append(after_header, without_timestamps);
    std::copy(sources.address.begin(), sources.address.end(), p.source);
    std::copy(sources.mask.begin(), sources.mask.end(), p.source_mask);
    p.seed = seed();
    p.network_sum = sum_of(bytes{network, segment});
    p.segment_sum = pseudo_header_sum(to, segment_bytes) + sum_of(bytes{segment, end});
    p.ifindex = to.out.index;
    result.frame_bytes = static_cast<u32>(end - p.frame);
    return result;
}

} // namespace vestibule::lab
