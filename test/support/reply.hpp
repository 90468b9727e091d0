// A SYN-ACK taken apart by hand, with nothing of the engine's own parsing, so that one may be held against the other.
#pragma once

#include <stdexcept>

#include "test/support/draft.hpp"

namespace vestibule::test {

struct reply {
    bytes to;
    bytes from;
    bytes tags;
    bool v6 = false;
    u32 traffic_class = 0;
    u32 hop_limit = 0;
    u32 identification = 0;
    u32 fragment = 0;
    u32 flow_label = 0;
    bytes source;
    bytes destination;
    u32 from_port = 0;
    u32 to_port = 0;
    u32 sequence = 0;
    u32 acknowledgment = 0;
    u32 reserved = 0;
    u32 flags = 0;
    u32 window = 0;
    u32 urgent = 0;
    bytes options;
    u32 ip_sum = 0; // both sums are zero where the checksum is right
    u32 tcp_sum = 0;
    bool lengths_agree = false;
};

namespace taking_apart {

inline void tcp(const bytes& b, std::size_t at, std::size_t length, reply& r) {
    r.from_port = two_at(b, at);
    r.to_port = two_at(b, at + 2);
    r.sequence = four_at(b, at + 4);
    r.acknowledgment = four_at(b, at + 8);
    r.reserved = b.at(at + 12) & 15;
    r.flags = b.at(at + 13);
    r.window = two_at(b, at + 14);
    r.urgent = two_at(b, at + 18);
    const std::size_t header = (b.at(at + 12) >> 4) * 4U;
    r.lengths_agree = header == length && at + length == b.size();
    r.options = part(b, at + 20, b.size() - at - 20);
    const bytes pseudo = join({r.source, r.destination, two(wire::protocol_tcp), two(static_cast<u32>(length))});
    r.tcp_sum = internet_checksum(join({pseudo, part(b, at, b.size() - at)}));
}

inline void network_v4(const bytes& b, std::size_t at, reply& r) {
    r.traffic_class = b.at(at + 1);
    r.identification = two_at(b, at + 4);
    r.fragment = two_at(b, at + 6);
    r.hop_limit = b.at(at + 8);
    r.source = part(b, at + 12, 4);
    r.destination = part(b, at + 16, 4);
    r.ip_sum = internet_checksum(part(b, at, 20));
    tcp(b, at + 20, two_at(b, at + 2) - 20, r);
}

inline void network_v6(const bytes& b, std::size_t at, reply& r) {
    r.v6 = true;
    r.traffic_class = four_at(b, at) >> 20 & 0xff;
    r.flow_label = four_at(b, at) & 0xfffff;
    r.hop_limit = b.at(at + 7);
    r.source = part(b, at + 8, 16);
    r.destination = part(b, at + 24, 16);
    tcp(b, at + 40, two_at(b, at + 4), r);
}

} // namespace taking_apart

inline reply take_apart(const bytes& b) {
    reply r;
    r.to = part(b, 0, 6);
    r.from = part(b, 6, 6);
    std::size_t at = 12;
    while (two_at(b, at) == 0x8100 || two_at(b, at) == 0x88a8)
        at += 4;
    r.tags = part(b, 12, at - 12);
    if (b.at(at + 2) == 0x45)
        taking_apart::network_v4(b, at + 2, r);
    else if (b.at(at + 2) >> 4 == 6 && b.at(at + 8) == wire::protocol_tcp)
        taking_apart::network_v6(b, at + 2, r);
    else
        throw std::runtime_error("neither a plain IPv4 nor a plain IPv6 packet");
    return r;
}

} // namespace vestibule::test
