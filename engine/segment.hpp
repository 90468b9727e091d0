// A TCP segment, read out of a frame: what the handshake needs to know of it, by value.
#pragma once

#include "abi/answer.hpp"
#include "engine/inline.hpp"
#include "engine/wire.hpp"

namespace vestibule {

// The bytes of one frame that may be read directly, `begin` up to `end`, against which the verifier and the fuzzer hold
// every access; `beyond` more bytes of it lie elsewhere (fragments of a jumbo frame, pages of a socket buffer).
struct frame {
    u8* begin;
    u8* end;
    u32 beyond = 0;
};

ENGINE u64 length_of(const frame& f) {
    return static_cast<u64>(f.end - f.begin) + f.beyond;
}

// The furthest offset into a frame that is ever read: the longest walk through IPv6 extension headers ends before it.
constexpr u32 furthest = 0x7fff;

// VLAN identifiers of a frame, in the order they stand; 0: none. A port whose driver strips the outer tag fills it in.
struct tags {
    u16 outer;
    u16 inner;
};

struct segment {
    address source;
    address destination;
    be16 source_port;
    be16 destination_port;
    u32 sequence;
    u32 acknowledgment;
    u16 window;
    u16 options_at;     // offset of the TCP options from the frame's begin
    u16 network_at;     // offset of the IP header
    u16 payload_length; // TCP payload, bytes
    tags vlan;
    u32 beyond; // bytes of the frame that lie elsewhere (frame::beyond)
    u8 flags;
    u8 options_length;
    u8 ecn;        // the two ECN bits of the IP header (RFC 3168 section 5)
    u8 dscp;       // the six bits beside them, in their place (RFC 2474)
    bool accurate; // the AE bit (RFC 9768)
    bool reserved; // any of the three bits before it
    bool v6;
    bool fragmented; // a first fragment: addresses, ports and flags are there, nothing else may be trusted
};

ENGINE bool has(const segment& s, u8 flags) {
    return (s.flags & flags) == flags;
}
ENGINE bool has_any(const segment& s, u8 flags) {
    return (s.flags & flags) != 0;
}

ENGINE endpoint local_end(const segment& s, u32 ifindex) {
    return {ifindex, s.vlan.outer, s.vlan.inner, s.destination, s.destination_port, 0};
}

} // namespace vestibule
