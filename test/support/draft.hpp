// Frames for tests. A draft is a good SYN as it stands; a test names only what it is about.
#pragma once

#include <arpa/inet.h>

#include <array>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "abi/address.hpp"
#include "engine/wire.hpp"
#include "test/support/bytes.hpp"

namespace vestibule::test {

using link_address = std::array<u8, 6>;

constexpr link_address host_link{0x02, 0x00, 0x00, 0x00, 0x00, 0x01};
constexpr link_address peer_link{0x02, 0x00, 0x00, 0x00, 0x00, 0x02};

// "192.0.2.1" or "2001:db8::1".
inline address ip(const std::string& text) {
    address a{};
    if (inet_pton(AF_INET6, text.c_str(), &a) == 1)
        return a;
    a.word[2] = mapped_prefix;
    if (inet_pton(AF_INET, text.c_str(), &a.word[3]) != 1)
        throw std::invalid_argument("no IP address: " + text);
    return a;
}

// TCP options as they stand on the wire.
namespace opt {

inline bytes option(u8 kind, const bytes& content) {
    return join({{kind, static_cast<u8>(content.size() + 2)}, content});
}
inline bytes end() {
    return {0};
}
inline bytes nop(std::size_t count = 1) {
    return bytes(count, 1);
}
inline bytes mss(u32 value) {
    return option(2, two(value));
}
inline bytes scale(u8 shift) {
    return option(3, {shift});
}
inline bytes sack_permitted() {
    return option(4, {});
}
inline bytes timestamps(u32 value, u32 echo = 0) {
    return option(8, join({four(value), four(echo)}));
}
inline bytes md5() {
    return option(19, bytes(16, 0xaa));
}
inline bytes authentication() {
    return option(29, {1, 1, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa});
}
inline bytes fast_open_request() {
    return option(34, {});
}
inline bytes fast_open_cookie() {
    return option(34, bytes(8, 0xcc));
}
inline bytes fast_open_experiment() {
    return option(254, two(0xf989));
}
inline bytes multipath_capable() {
    return option(30, {0x01, 0x81});
}
inline bytes multipath_join() {
    return option(30, {0x10, 1, 0xaa, 0xaa, 0xaa, 0xaa, 0xbb, 0xbb, 0xbb, 0xbb});
}

// What the common stacks send with a SYN.
inline bytes linux_syn(u32 timestamp = 0x11223344) {
    return join({mss(1460), sack_permitted(), timestamps(timestamp), nop(), scale(7)});
}
inline bytes windows_syn() {
    return join({mss(1460), nop(), scale(8), nop(2), sack_permitted()});
}
// What follows with every later segment, where timestamps are in force.
inline bytes stamped(u32 value, u32 echo) {
    return join({nop(2), timestamps(value, echo)});
}

} // namespace opt

struct tag {
    u16 control; // priority, drop-eligible, identifier
    u16 type = 0x8100;
};

// An IPv6 extension header: what follows its first two bytes, 6 + 8n bytes of it.
struct extension {
    u8 kind;
    bytes content = bytes(6, 0);
    std::optional<u8> length{};
};

namespace ext {
inline extension hop_by_hop(std::size_t units = 1) {
    return {wire::header_hop_by_hop, bytes(8 * units - 2, 0)};
}
inline extension destination(std::size_t units = 1) {
    return {wire::header_destination, bytes(8 * units - 2, 0)};
}
inline extension routing(u8 segments_left) {
    return {wire::header_routing, {4, segments_left, 0, 0, 0, 0}};
}
inline extension fragment(u32 offset, bool more) {
    return {wire::header_fragment, join({two(offset << 3 | (more ? 1U : 0U)), four(0x77777777)}), u8{0}};
}
} // namespace ext

struct draft {
    link_address to = host_link;
    link_address from = peer_link;
    std::vector<tag> tags{};
    std::optional<u16> type{};

    bool v6 = false;
    address source = ip("198.51.100.7");
    address destination = ip("192.0.2.1");
    u8 traffic_class = 0;
    u8 hop_limit = 64;
    u8 protocol = wire::protocol_tcp;
    u32 flow_label = 0x12345;
    u16 fragment = wire::dont_fragment;
    bytes ip_options{};
    std::vector<extension> extensions{};
    std::optional<u8> version_length{};
    std::optional<u16> ip_length{};
    std::optional<u16> ip_checksum{};

    u16 from_port = 40000;
    u16 to_port = 80;
    u32 sequence = 0x01020304;
    u32 acknowledgment = 0;
    u8 flags = wire::syn;
    u8 reserved = 0; // the low four bits beside the data offset; the last is AE
    u16 window = 64240;
    std::optional<u8> data_offset{}; // in words
    std::optional<u16> tcp_checksum{};
    bytes options{};
    bytes payload{};
    bytes trailer{}; // behind the packet: link padding
};

inline draft v4(draft d = {}) {
    return d;
}
inline draft v6(draft d = {}) {
    d.v6 = true;
    d.source = is_v4(d.source) ? ip("2001:db8::7") : d.source;
    d.destination = is_v4(d.destination) ? ip("2001:db8::1") : d.destination;
    return d;
}

namespace drafting {

inline void append_address(bytes& b, const address& a, bool v6) {
    const auto* first = reinterpret_cast<const u8*>(&a); // it lies in memory as on the wire
    b.insert(b.end(), first + (v6 ? 0 : 12), first + 16);
}

inline void append_addresses(bytes& b, const draft& d) {
    append_address(b, d.source, d.v6);
    append_address(b, d.destination, d.v6);
}

inline bytes addresses(const draft& d) {
    bytes b;
    append_addresses(b, d);
    return b;
}

inline void append_link(bytes& b, const draft& d) {
    b.insert(b.end(), d.to.begin(), d.to.end());
    b.insert(b.end(), d.from.begin(), d.from.end());
    for (const tag& t : d.tags) {
        append_two(b, t.type);
        append_two(b, t.control);
    }
    append_two(b, d.type.value_or(d.v6 ? 0x86dd : 0x0800));
}

// Options up to the next whole word; what pads them is End of Option List.
inline std::size_t whole_words(const bytes& options) {
    return (options.size() + 3) / 4;
}
inline bytes padded(bytes options) {
    options.resize(whole_words(options) * 4, 0);
    return options;
}
inline void append_padded(bytes& b, const bytes& options) {
    append(b, options);
    b.resize(b.size() + whole_words(options) * 4 - options.size(), 0);
}

// The checksum at `at`: of all that stands from `from` on, and of what sums up to `over` besides.
inline void seal(bytes& b, std::size_t at, std::size_t from, u32 over, std::optional<u16> instead) {
    const u32 sum = instead.value_or(static_cast<u16>(0xffff - ones_complement_sum(b, from, over)));
    b.at(at) = static_cast<u8>(sum >> 8);
    b.at(at + 1) = static_cast<u8>(sum);
}

inline std::size_t tcp_length(const draft& d) {
    return 20 + 4 * whole_words(d.options) + d.payload.size();
}

inline u32 pseudo_header_sum(const draft& d) {
    bytes pseudo;
    append_addresses(pseudo, d);
    append_two(pseudo, wire::protocol_tcp);
    append_two(pseudo, static_cast<u32>(tcp_length(d)));
    return ones_complement_sum(pseudo);
}

inline void append_tcp(bytes& b, const draft& d) {
    const std::size_t from = b.size();
    const u32 offset = d.data_offset.value_or(static_cast<u8>(5 + whole_words(d.options)));
    append_two(b, d.from_port);
    append_two(b, d.to_port);
    append_four(b, d.sequence);
    append_four(b, d.acknowledgment);
    append(b, static_cast<u8>(offset << 4 | d.reserved));
    append(b, d.flags);
    append_two(b, d.window);
    append_four(b, 0); // checksum, urgent pointer
    append_padded(b, d.options);
    append(b, d.payload);
    seal(b, from + 16, from, pseudo_header_sum(d), d.tcp_checksum);
}

inline void append_network_v4(bytes& b, const draft& d) {
    const std::size_t from = b.size();
    const std::size_t own = 20 + 4 * whole_words(d.ip_options);
    append(b, d.version_length.value_or(static_cast<u8>(0x40 | own / 4)));
    append(b, d.traffic_class);
    append_two(b, d.ip_length.value_or(static_cast<u16>(own + tcp_length(d))));
    append_two(b, 0x4242);
    append_two(b, d.fragment);
    append(b, d.hop_limit);
    append(b, d.protocol);
    append_two(b, 0);
    append_addresses(b, d);
    append_padded(b, d.ip_options);
    seal(b, from + 10, from, 0, d.ip_checksum);
}

inline bytes extension_bytes(const extension& x, u8 next) {
    const u8 length = x.length.value_or(static_cast<u8>((x.content.size() + 2) / 8 - 1));
    return join({{next, length}, x.content});
}

inline bytes extensions(const draft& d) {
    bytes b;
    for (std::size_t i = 0; i < d.extensions.size(); ++i) {
        const u8 next = i + 1 < d.extensions.size() ? d.extensions[i + 1].kind : d.protocol;
        append(b, extension_bytes(d.extensions[i], next));
    }
    return b;
}

inline void append_network_v6(bytes& b, const draft& d) {
    const bytes between = extensions(d);
    append_four(b, static_cast<u32>(d.version_length.value_or(0x60) >> 4) << 28 |
                       static_cast<u32>(d.traffic_class) << 20 | d.flow_label);
    append_two(b, d.ip_length.value_or(static_cast<u16>(between.size() + tcp_length(d))));
    append(b, d.extensions.empty() ? d.protocol : d.extensions[0].kind);
    append(b, d.hop_limit);
    append_addresses(b, d);
    append(b, between);
}

} // namespace drafting

inline bytes frame_of(const draft& d) {
    bytes b;
    b.reserve(128 + d.payload.size());
    drafting::append_link(b, d);
    if (d.v6)
        drafting::append_network_v6(b, d);
    else
        drafting::append_network_v4(b, d);
    drafting::append_tcp(b, d);
    append(b, d.trailer);
    return b;
}

} // namespace vestibule::test
