#include "control/overheard.hpp"

#include "engine/parse.hpp"

namespace vestibule {

namespace {

void read_network(const frame& f, utterance& u) {
    const u8* at = f.begin + u.said.network_at;
    if (u.said.v6) {
        const auto* ip = reinterpret_cast<const wire::ipv6*>(at);
        const u32 lead = host(ip->version_class_flow);
        u.hop_limit = ip->hop_limit;
        u.traffic_class = static_cast<u8>(lead >> 20);
        u.flow_label = (lead & 0xfffffU) != 0;
        return;
    }
    const auto* ip = reinterpret_cast<const wire::ipv4*>(at);
    u.hop_limit = ip->hop_limit;
    u.traffic_class = ip->traffic_class;
    u.dont_fragment = (host(ip->fragment) & wire::dont_fragment) != 0;
}

// The outer tag may stand beside the packet, for the card to put in, or in the packet itself.
tags tags_of(const overheard& o, const segment& said) {
    if (o.vlan == 0)
        return said.vlan;
    return {static_cast<u16>(o.vlan), said.vlan.outer};
}

// What an ICMP error quotes is ours: behind the tags the headers are plain (bpf/rehearsal.bpf.cpp has seen to that).
void read_quotation(const frame& f, utterance& u) {
    constexpr std::size_t icmp_header = 8;
    parsing::cursor c{};
    if (parsing::link(f, c, u.said.vlan) != shape::tcp)
        return;
    const u8* at = f.begin + c.at;
    const bool v6 = c.type == wire::type_ipv6;
    const std::size_t network = v6 ? sizeof(wire::ipv6) : sizeof(wire::ipv4);
    at += network + icmp_header;
    const auto* tcp = reinterpret_cast<const wire::tcp*>(at + network);
    if (!fits(tcp, 4, f.end))
        return;
    const auto* four = reinterpret_cast<const wire::ipv4*>(at);
    const auto* six = reinterpret_cast<const wire::ipv6*>(at);
    u.said.source = v6 ? six->destination : parsing::mapped(four->destination);
    u.said.destination = v6 ? six->source : parsing::mapped(four->source);
    u.said.source_port = tcp->destination_port;
    u.said.destination_port = tcp->source_port;
}

} // namespace

utterance understand(overheard& o) {
    utterance u{};
    u.ifindex = o.ifindex;
    u.socket_port = o.socket_port;
    u.tracked = o.tracked != 0;
    u.kind = speech::rejects;
    const frame f{o.bytes, o.bytes + (o.length < overheard_bytes ? o.length : overheard_bytes)};
    if (parse(f, u.said) != shape::tcp) {
        read_quotation(f, u);
        return u;
    }
    u.kind = has(u.said, wire::rst) ? speech::resets : speech::agrees;
    u.vlan = tags_of(o, u.said);
    u.options = read_options(f, u.said);
    read_network(f, u);
    return u;
}

} // namespace vestibule
