// The SYN-ACK: what it says (RFC 9293 section 3.10.7.2), and the writing of it over the SYN that asked for it.
// Options stand in the order the Linux stack sends them (tcp_options_write), so that a peer cannot tell who answered.
#pragma once

#include "engine/checksum.hpp"
#include "engine/options.hpp"

namespace vestibule {

struct synack {
    u64 station; // that it goes to, as wire::station_at reads it; 0: the one that the SYN came from
    u32 isn;
    u32 acknowledgment;
    u32 timestamp;
    u32 timestamp_echo;
    u32 flow_label; // IPv6, 20 bits
    u16 window;
    u16 mss;
    u8 shift;
    u8 hop_limit;
    u8 traffic_class;
    bool window_scale;
    bool sack;
    bool timestamps;
    bool ecn;
    bool dont_fragment;
};

namespace writing {

constexpr u32 most_words = 5; // MSS, SACK with timestamps, window scale

// The option block as it lies in memory, in whole words.
struct block {
    be32 word[most_words];
    u32 words;
};

ENGINE be32 four(u8 a, u8 b, u8 c, u8 d) {
    return network(static_cast<u32>(a) << 24 | static_cast<u32>(b) << 16 | static_cast<u32>(c) << 8 | d);
}

// Word 1 to 3: SACK-permitted leads the timestamps or, without them, is padded before itself.
ENGINE void sack_and_timestamps(const synack& r, block& b) {
    using namespace option_kind;
    if (r.timestamps) {
        b.word[1] = r.sack ? four(sack_permitted, 2, timestamps, 10) : four(nop, nop, timestamps, 10);
        b.word[2] = network(r.timestamp);
        b.word[3] = network(r.timestamp_echo);
        b.words = 4;
    } else if (r.sack) {
        b.word[1] = four(nop, nop, sack_permitted, 2);
        b.words = 2;
    }
}

ENGINE block options(const synack& r) {
    using namespace option_kind;
    block b{};
    b.word[0] = four(mss, 4, static_cast<u8>(r.mss >> 8), static_cast<u8>(r.mss));
    b.words = 1;
    sack_and_timestamps(r, b);
    if (!r.window_scale)
        return b;
    const be32 scale = four(nop, option_kind::window_scale, 3, r.shift);
    b.word[4] = b.words == 4 ? scale : be32{};
    b.word[2] = b.words == 2 ? scale : b.word[2];
    b.word[1] = b.words == 1 ? scale : b.word[1];
    ++b.words;
    return b;
}

ENGINE void turn_link(u8* at, u64 station) {
    constexpr u32 source = 6;
    const u64 mine = wire::station_at(at);
    wire::put_station(at, station != 0 ? station : wire::station_at(at + source));
    wire::put_station(at + source, mine);
}

ENGINE wire::tcp header(const segment& s, const synack& r, u32 option_words) {
    const u8 flags = static_cast<u8>(wire::syn | wire::ack | (r.ecn ? wire::ece : 0U));
    const u8 offset = static_cast<u8>((5 + option_words) << 4);
    return {s.destination_port,
            s.source_port,
            network(r.isn),
            network(r.acknowledgment),
            offset,
            flags,
            network(r.window),
            0,
            be16{}};
}

// Sum of the pseudo-header's constant part: protocol and length (RFC 9293 section 3.1).
ENGINE u64 pseudo(u32 tcp_length) {
    return static_cast<u64>(static_cast<u32>(network(wire::protocol_tcp + tcp_length)));
}

ENGINE wire::ipv4 network_v4(const segment& s, const synack& r, u32 tcp_length) {
    const u16 fragment = r.dont_fragment ? wire::dont_fragment : u16{0};
    const u16 id = r.dont_fragment ? u16{0} : static_cast<u16>(r.isn >> 8); // kernel: ip_build_and_send_pkt
    wire::ipv4 ip{0x45,
                  r.traffic_class,
                  network(static_cast<u16>(sizeof(wire::ipv4) + tcp_length)),
                  network(id),
                  network(fragment),
                  r.hop_limit,
                  wire::protocol_tcp,
                  0,
                  s.destination.word[3],
                  s.source.word[3]};
    ip.checksum = folded(sum_words(&ip, 5));
    return ip;
}

ENGINE wire::ipv6 network_v6(const segment& s, const synack& r, u32 tcp_length) {
    const u32 lead = 6U << 28 | static_cast<u32>(r.traffic_class) << 20 | (r.flow_label & 0xfffffU);
    return {network(lead), network(static_cast<u16>(tcp_length)), wire::protocol_tcp, r.hop_limit, s.destination,
            s.source};
}

ENGINE u64 address_sum(const segment& s) {
    return s.v6 ? sum_words(&s.source, 4) + sum_words(&s.destination, 4)
                : sum_words(&s.source.word[3], 1) + sum_words(&s.destination.word[3], 1);
}

// The option block's words that are not in use are zero, so summing all of them is summing those in use.
ENGINE bool write_tcp(const frame& f, u8* at, const segment& s, const synack& r, const block& b) {
    wire::tcp head = header(s, r, b.words);
    const u32 length = sizeof(wire::tcp) + 4 * b.words;
    u64 sum = address_sum(s) + pseudo(length) + sum_words(&head, 5);
    for (u32 i = 0; i < most_words; ++i)
        sum += static_cast<u32>(b.word[i]);
    head.checksum = folded(sum);
    if (!fits(at, sizeof(head), f.end))
        return false;
    write_at(at, head);
    at += sizeof(head);
    for (u32 i = 0; i < most_words; ++i, at += 4) {
        if (i >= b.words)
            break;
        if (!fits(at, 4, f.end))
            return false;
        write_at(at, b.word[i]);
    }
    return true;
}

template <class Header>
ENGINE bool write_header(const frame& f, u8* at, const Header& header) {
    if (!fits(at, sizeof(Header), f.end))
        return false;
    write_at(at, header);
    return true;
}

} // namespace writing

ENGINE u32 synack_words(const synack& r) {
    return 1U + (r.timestamps ? 3U : r.sack ? 1U : 0U) + (r.window_scale ? 1U : 0U);
}

// Length of the frame that carries the SYN-ACK `r` for `s`: link header and tags as they came, no IP options.
ENGINE u32 reply_length(const segment& s, const synack& r) {
    return s.network_at + static_cast<u32>(s.v6 ? sizeof(wire::ipv6) : sizeof(wire::ipv4)) +
           static_cast<u32>(sizeof(wire::tcp)) + 4U * synack_words(r);
}

// Writes `r` over the SYN in `f`, which must already have reply_length(s, r) bytes. False: it has not.
ENGINE bool write_synack(const frame& f, const segment& s, const synack& r) {
    if (!fits(f.begin, sizeof(wire::ethernet), f.end))
        return false;
    writing::turn_link(f.begin, r.station);
    const writing::block b = writing::options(r);
    const u32 tcp_length = static_cast<u32>(sizeof(wire::tcp)) + 4 * b.words;
    u8* at = f.begin + (s.network_at & furthest);
    if (s.v6)
        return writing::write_header(f, at, writing::network_v6(s, r, tcp_length)) &&
               writing::write_tcp(f, at + sizeof(wire::ipv6), s, r, b);
    return writing::write_header(f, at, writing::network_v4(s, r, tcp_length)) &&
           writing::write_tcp(f, at + sizeof(wire::ipv4), s, r, b);
}

} // namespace vestibule
