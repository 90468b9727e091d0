// Headers as they stand in a frame: network order throughout.
// Sources: IEEE 802.1Q; RFC 791; RFC 8200; RFC 9293 section 3.1.
#pragma once

#include "abi/address.hpp"
#include "engine/inline.hpp"

namespace vestibule::wire {

struct ON_THE_WIRE ethernet {
    u8 destination[6];
    u8 source[6];
    be16 type;
};
static_assert(sizeof(ethernet) == 14);

struct ON_THE_WIRE vlan {
    be16 control; // priority 3, drop-eligible 1, identifier 12
    be16 type;
};

struct ON_THE_WIRE ipv4 {
    u8 version_length;
    u8 traffic_class;
    be16 total_length;
    be16 identification;
    be16 fragment;
    u8 hop_limit;
    u8 protocol;
    u16 checksum;
    be32 source;
    be32 destination;
};
static_assert(sizeof(ipv4) == 20);

struct ON_THE_WIRE ipv6 {
    be32 version_class_flow;
    be16 payload_length;
    u8 next_header;
    u8 hop_limit;
    address source;
    address destination;
};
static_assert(sizeof(ipv6) == 40);

struct ON_THE_WIRE extension {
    u8 next_header;
    u8 length; // in units of 8 bytes, the first not counted
    u16 first;
    u32 second;
};
static_assert(sizeof(extension) == 8);

struct ON_THE_WIRE tcp {
    be16 source_port;
    be16 destination_port;
    be32 sequence;
    be32 acknowledgment;
    u8 offset_reserved; // data offset 4, reserved 3, AE 1 (RFC 9768)
    u8 flags;
    be16 window;
    u16 checksum;
    be16 urgent;
};
static_assert(sizeof(tcp) == 20);

constexpr be16 type_ipv4 = network(u16{0x0800});
constexpr be16 type_ipv6 = network(u16{0x86dd});
constexpr be16 type_vlan = network(u16{0x8100});
constexpr be16 type_service_vlan = network(u16{0x88a8});

constexpr u8 protocol_tcp = 6;
constexpr u8 header_hop_by_hop = 0;
constexpr u8 header_routing = 43;
constexpr u8 header_fragment = 44;
constexpr u8 header_destination = 60;

constexpr u8 ip_option_end = 0;
constexpr u8 ip_option_nop = 1;
constexpr u8 ip_option_loose_route = 131;
constexpr u8 ip_option_strict_route = 137;

constexpr u16 more_fragments = 0x2000;
constexpr u16 dont_fragment = 0x4000;
constexpr u16 fragment_offset = 0x1fff;

enum : u8 { fin = 0x01, syn = 0x02, rst = 0x04, psh = 0x08, ack = 0x10, urg = 0x20, ece = 0x40, cwr = 0x80 };
constexpr u8 accurate_ecn = 0x01; // in offset_reserved
constexpr u8 reserved_bits = 0x0e;

// A link address as a number, read in the widest words that its place in a frame allows.
ENGINE u64 station_at(const u8* at) {
    return read_at<u16>(at) | static_cast<u64>(read_at<u16>(at + 2)) << 16 |
           static_cast<u64>(read_at<u16>(at + 4)) << 32;
}
ENGINE void put_station(u8* at, u64 station) {
    write_at(at, static_cast<u16>(station));
    write_at(at + 2, static_cast<u16>(station >> 16));
    write_at(at + 4, static_cast<u16>(station >> 32));
}

} // namespace vestibule::wire
