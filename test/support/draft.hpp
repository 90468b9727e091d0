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

inline bytes address_bytes(const address& a, bool v6) {
    const bytes all =
        join({four(host(a.word[0])), four(host(a.word[1])), four(host(a.word[2])), four(host(a.word[3]))});
    return v6 ? all : part(all, 12, 4);
}

inline bytes addresses(const draft& d) {
    return join({address_bytes(d.source, d.v6), address_bytes(d.destination, d.v6)});
}

inline bytes link(const draft& d) {
    bytes b = join({{d.to.begin(), d.to.end()}, {d.from.begin(), d.from.end()}});
    for (const tag& t : d.tags)
        b = join({b, two(t.type), two(t.control)});
    return join({b, two(d.type.value_or(d.v6 ? 0x86dd : 0x0800))});
}

// Options up to the next whole word; what pads them is End of Option List.
inline bytes padded(bytes options) {
    options.resize((options.size() + 3) / 4 * 4, 0);
    return options;
}

inline bytes tcp(const draft& d) {
    const bytes options = padded(d.options);
    const u32 offset = d.data_offset.value_or(static_cast<u8>(5 + options.size() / 4));
    const bytes head = join({two(d.from_port),
                             two(d.to_port),
                             four(d.sequence),
                             four(d.acknowledgment),
                             {static_cast<u8>(offset << 4 | d.reserved), d.flags},
                             two(d.window)});
    const bytes tail = join({two(0), options, d.payload});
    const auto length = static_cast<u32>(head.size() + 2 + tail.size());
    const bytes pseudo = join({addresses(d), two(wire::protocol_tcp), two(length)});
    const u32 sum = internet_checksum(join({pseudo, head, two(0), tail}));
    return join({head, two(d.tcp_checksum.value_or(static_cast<u16>(sum))), tail});
}

inline bytes network_v4(const draft& d, std::size_t tcp_length) {
    const bytes options = padded(d.ip_options);
    const auto own = 20 + options.size();
    const u8 version_length = d.version_length.value_or(static_cast<u8>(0x40 | own / 4));
    const bytes head = join({{version_length, d.traffic_class},
                             two(d.ip_length.value_or(static_cast<u16>(own + tcp_length))),
                             two(0x4242),
                             two(d.fragment),
                             {d.hop_limit, d.protocol}});
    const bytes tail = join({addresses(d), options});
    const u32 sum = internet_checksum(join({head, two(0), tail}));
    return join({head, two(d.ip_checksum.value_or(static_cast<u16>(sum))), tail});
}

inline bytes extension_bytes(const extension& x, u8 next) {
    const u8 length = x.length.value_or(static_cast<u8>((x.content.size() + 2) / 8 - 1));
    return join({{next, length}, x.content});
}

inline bytes extensions(const draft& d) {
    bytes b;
    for (std::size_t i = 0; i < d.extensions.size(); ++i) {
        const u8 next = i + 1 < d.extensions.size() ? d.extensions[i + 1].kind : d.protocol;
        b = join({b, extension_bytes(d.extensions[i], next)});
    }
    return b;
}

inline bytes network_v6(const draft& d, std::size_t tcp_length) {
    const bytes between = extensions(d);
    const u32 lead = static_cast<u32>(d.version_length.value_or(0x60) >> 4) << 28 |
                     static_cast<u32>(d.traffic_class) << 20 | d.flow_label;
    const u8 next = d.extensions.empty() ? d.protocol : d.extensions[0].kind;
    const auto length = static_cast<u16>(between.size() + tcp_length);
    return join({four(lead), two(d.ip_length.value_or(length)), {next, d.hop_limit}, addresses(d), between});
}

} // namespace drafting

inline bytes frame_of(const draft& d) {
    const bytes tcp = drafting::tcp(d);
    const bytes network = d.v6 ? drafting::network_v6(d, tcp.size()) : drafting::network_v4(d, tcp.size());
    return join({drafting::link(d), network, tcp, d.trailer});
}

} // namespace vestibule::test
