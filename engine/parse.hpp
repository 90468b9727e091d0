// Frame -> segment. Every length is checked against the frame, every walk is bounded; what cannot be a TCP segment of
// this host is named, never guessed at.
#pragma once

#include "engine/checksum.hpp"
#include "engine/segment.hpp"

namespace vestibule {

enum class shape : u8 {
    tcp,          // the segment is filled in
    other,        // not TCP over IPv4 or IPv6, or a later fragment
    malformed,    // headers contradict their own lengths or checksum
    deep_headers, // more IPv6 extension headers than are walked
    deep_tags,    // more than two VLAN tags
    routed,       // IPv4 with a source route
};

constexpr u32 most_extensions = 8;

namespace parsing {

struct cursor {
    u32 at; // offset from the frame's begin
    be16 type;
    u8 next;
};

// The TOS byte of IPv4, the traffic class of IPv6.
ENGINE void read_class(u8 traffic_class, segment& s) {
    s.ecn = traffic_class & 0x03;
    s.dscp = traffic_class & 0xfc;
}

ENGINE bool is_tag(be16 type) {
    return type == wire::type_vlan || type == wire::type_service_vlan;
}

// Reads one VLAN tag; false where the frame ends inside it.
ENGINE bool tag(const frame& f, cursor& c, u16& identifier) {
    const auto* t = reinterpret_cast<const wire::vlan*>(f.begin + c.at);
    if (!fits(t, sizeof(*t), f.end))
        return false;
    identifier = host(t->control) & 0x0fff;
    c.type = t->type;
    c.at += sizeof(wire::vlan);
    return true;
}

ENGINE shape link(const frame& f, cursor& c, tags& vlan) {
    const auto* e = reinterpret_cast<const wire::ethernet*>(f.begin);
    if (!fits(e, sizeof(*e), f.end))
        return shape::malformed;
    c.at = sizeof(wire::ethernet);
    c.type = e->type;
    if (!is_tag(c.type))
        return shape::tcp;
    const bool stripped = vlan.outer != 0;
    if (!tag(f, c, stripped ? vlan.inner : vlan.outer))
        return shape::malformed;
    if (!is_tag(c.type))
        return shape::tcp;
    if (stripped)
        return shape::deep_tags;
    if (!tag(f, c, vlan.inner))
        return shape::malformed;
    return is_tag(c.type) ? shape::deep_tags : shape::tcp;
}

ENGINE address mapped(be32 v4) {
    return {{be32{}, be32{}, mapped_prefix, v4}};
}

// The IP header's own checksum is always complete, even where the TCP one is left to the card (kernel: ip_rcv_core).
ENGINE bool header_sum_holds(const frame& f, const wire::ipv4* ip, u32 length) {
    u64 sum = sum_words(ip, 5);
    const u8* option = reinterpret_cast<const u8*>(ip + 1);
    for (u32 i = 5; i < 15 && i * 4 < length; ++i, option += 4) {
        if (!fits(option, 4, f.end))
            return false;
        sum += sum_words(option, 1);
    }
    return folded(sum) == 0;
}

constexpr u32 most_ip_option_bytes = 40;

// The option at offset `at`; true: the walk goes on.
ENGINE bool ip_option(const frame& f, const u8* options, u32 length, u32& at, shape& result) {
    const u8* p = options + at;
    if (at >= length || !fits(p, 2, f.end) || p[0] == wire::ip_option_end)
        return false;
    if (p[0] == wire::ip_option_nop) {
        ++at;
        return true;
    }
    if (p[0] == wire::ip_option_loose_route || p[0] == wire::ip_option_strict_route)
        result = shape::routed;
    else if (p[1] < 2 || at + p[1] > length)
        result = shape::malformed;
    at += p[1];
    return result == shape::tcp;
}

// Options say nothing that is of use here, but for a source route: whether it may be followed is for the stack to say
// (kernel: ip_rcv_options), and its rule may not be got around by way of us.
ENGINE shape ip_options(const frame& f, u32 begin, u32 length, u32& slot) {
    const u8* options = f.begin + (forgotten(begin, slot) & furthest);
    shape result = shape::tcp;
    u32 at = 0;
#pragma clang loop unroll(disable)
    for (u32 i = 0; i < most_ip_option_bytes; ++i) {
        at = forgotten(at, slot) & 63;
        length = forgotten(length, slot);
        if (!ip_option(f, options, length, at, result))
            break;
    }
    return result;
}

// `lead` is the header's first byte; `left` becomes the bytes of the packet behind the IP header.
ENGINE shape ipv4(const frame& f, cursor& c, u8 lead, segment& s, u32& left) {
    const auto* ip = reinterpret_cast<const wire::ipv4*>(f.begin + c.at);
    if (!fits(ip, sizeof(*ip), f.end))
        return shape::malformed;
    const u32 length = (lead & 0x0fU) * 4;
    const u32 total = host(ip->total_length);
    if (lead >> 4 != 4 || length < sizeof(wire::ipv4) || total < length)
        return shape::malformed;
    if (ip->protocol != wire::protocol_tcp || (host(ip->fragment) & wire::fragment_offset) != 0)
        return shape::other;
    if (!header_sum_holds(f, ip, length))
        return shape::malformed;
    s.source = mapped(ip->source);
    s.destination = mapped(ip->destination);
    read_class(ip->traffic_class, s);
    s.fragmented = (host(ip->fragment) & wire::more_fragments) != 0;
    left = total - length;
    const u32 options_at = c.at + static_cast<u32>(sizeof(wire::ipv4));
    c.at += length;
    if (length == sizeof(wire::ipv4))
        return shape::tcp;
    c.at = forgotten(c.at, s.acknowledgment) & furthest;
    left = forgotten(left, s.acknowledgment);
    return ip_options(f, options_at, length - static_cast<u32>(sizeof(wire::ipv4)), s.acknowledgment);
}

// One IPv6 extension header (RFC 8200 section 4). False: the walk is over, `result` says how.
ENGINE bool extension(const frame& f, cursor& c, segment& s, u32& left, shape& result) {
    if (c.next == wire::protocol_tcp) {
        result = shape::tcp;
        return false;
    }
    const bool options = c.next == wire::header_hop_by_hop || c.next == wire::header_destination;
    const bool fragment = c.next == wire::header_fragment;
    if (!options && !fragment && c.next != wire::header_routing) {
        result = shape::other;
        return false;
    }
    const auto* x = reinterpret_cast<const wire::extension*>(f.begin + c.at);
    if (!fits(x, sizeof(*x), f.end)) {
        result = shape::malformed;
        return false;
    }
    const u32 length = fragment ? 8U : (x->length + 1U) * 8;
    const bool later_fragment = fragment && (host(be16{x->first}) & 0xfff8U) != 0;
    const bool routed_on = c.next == wire::header_routing && (x->first >> 8) != 0; // segments left
    const bool misplaced = x->next_header == wire::header_hop_by_hop;              // first or nowhere (section 4.1)
    if (length > left || later_fragment || routed_on || misplaced) {
        result = length > left ? shape::malformed : shape::other;
        return false;
    }
    s.fragmented |= fragment;
    c.next = x->next_header;
    c.at += length;
    left -= length;
    return true;
}

ENGINE shape ipv6(const frame& f, cursor& c, segment& s, u32& left) {
    const auto* ip = reinterpret_cast<const wire::ipv6*>(f.begin + c.at);
    if (!fits(ip, sizeof(*ip), f.end))
        return shape::malformed;
    const u32 lead = host(ip->version_class_flow);
    if (lead >> 28 != 6)
        return shape::malformed;
    s.source = ip->source;
    s.destination = ip->destination;
    read_class(static_cast<u8>(lead >> 20), s);
    s.v6 = true;
    left = host(ip->payload_length);
    c.next = ip->next_header;
    c.at += sizeof(wire::ipv6);
    shape result = shape::deep_headers;
#pragma clang loop unroll(disable)
    for (u32 i = 0; i <= most_extensions; ++i) {
        c.at = forgotten(c.at, s.acknowledgment) & furthest;
        left = forgotten(left, s.acknowledgment);
        if (!extension(f, c, s, left, result))
            break;
    }
    return result;
}

struct ON_THE_WIRE ports {
    be16 source;
    be16 destination;
};

// A first fragment too short for a TCP header (RFC 1858 section 3) keeps its flags for the next one, where nobody would
// look: it is taken for the SYN that it may be.
ENGINE shape cut_short(const frame& f, const cursor& c, segment& s) {
    const auto* p = reinterpret_cast<const ports*>(f.begin + c.at);
    if (!fits(p, sizeof(*p), f.end))
        return shape::malformed;
    s.source_port = p->source;
    s.destination_port = p->destination;
    s.flags = wire::syn;
    return shape::tcp;
}

ENGINE shape tcp(const frame& f, const cursor& c, segment& s, u32 left) {
    if (c.at + left > length_of(f)) // the packet claims more than has come
        return shape::malformed;
    if (s.fragmented && left >= sizeof(ports) && left < sizeof(wire::tcp))
        return cut_short(f, c, s);
    const auto* t = reinterpret_cast<const wire::tcp*>(f.begin + c.at);
    if (!fits(t, sizeof(*t), f.end) || left < sizeof(wire::tcp))
        return shape::malformed;
    const u32 length = (t->offset_reserved >> 4) * 4U;
    if (length < sizeof(wire::tcp) || (length > left && !s.fragmented))
        return shape::malformed;
    s.source_port = t->source_port;
    s.destination_port = t->destination_port;
    s.sequence = host(t->sequence);
    s.acknowledgment = host(t->acknowledgment);
    s.flags = t->flags;
    s.accurate = (t->offset_reserved & wire::accurate_ecn) != 0;
    s.reserved = (t->offset_reserved & wire::reserved_bits) != 0;
    s.window = host(t->window);
    s.options_at = static_cast<u16>(c.at + sizeof(wire::tcp));
    s.options_length = static_cast<u8>(length - sizeof(wire::tcp));
    s.payload_length = static_cast<u16>(left > length ? left - length : 0);
    return shape::tcp;
}

} // namespace parsing

// Fills `s` and answers shape::tcp where the packet at offset `at` of the frame, of that Ethernet type, holds a TCP segment
// (or the first fragment of one). Until the TCP header is read, its acknowledgment is the slot for what is to be forgotten.
ENGINE shape parse_packet(const frame& f, u32 at, be16 type, segment& s) {
    at = forgotten(at, s.acknowledgment) & furthest; // with tags or without: from here it is one way
    parsing::cursor c{at, type, 0};
    s.network_at = static_cast<u16>(at);
    u32 left = 0;
    shape result = shape::other;
    const u8* lead = f.begin + at;
    if (type == wire::type_ipv4)
        result = fits(lead, 1, f.end) ? parsing::ipv4(f, c, *lead, s, left) : shape::malformed;
    else if (type == wire::type_ipv6)
        result = parsing::ipv6(f, c, s, left);
    s.acknowledgment = 0;
    return result == shape::tcp ? parsing::tcp(f, c, s, left) : result;
}

// The same for a whole frame. s.vlan must come in with the tag that the driver stripped, or zeros.
ENGINE shape parse(const frame& f, segment& s) {
    parsing::cursor c{};
    const shape result = parsing::link(f, c, s.vlan);
    return result == shape::tcp ? parse_packet(f, c.at, c.type, s) : result;
}

// Plain frames, which nearly all are: untagged IPv4 without options. In this copy of the functions above the compiler knows
// where everything stands. True: parse() says shape::tcp and fills `s` alike; false: let it speak, with a new `s`.
ENGINE bool parse_plain(const frame& f, segment& s) {
    constexpr u8 version_4_without_options = 0x45;
    const auto* e = reinterpret_cast<const wire::ethernet*>(f.begin);
    const auto* ip = reinterpret_cast<const wire::ipv4*>(e + 1);
    if (!fits(ip, sizeof(*ip), f.end) || e->type != wire::type_ipv4 || ip->version_length != version_4_without_options)
        return false;
    parsing::cursor c{sizeof(*e), wire::type_ipv4, 0};
    u32 left = 0;
    s.network_at = sizeof(*e);
    return parsing::ipv4(f, c, version_4_without_options, s, left) == shape::tcp &&
           parsing::tcp(f, c, s, left) == shape::tcp;
}

} // namespace vestibule
