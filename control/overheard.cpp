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

} // namespace

utterance understand(overheard& o) {
    utterance u{};
    u.ifindex = o.ifindex;
    u.socket_port = o.socket_port;
    u.kind = speech::rejects;
    const frame f{o.bytes, o.bytes + (o.length < overheard_bytes ? o.length : overheard_bytes)};
    if (parse(f, u.said) != shape::tcp)
        return u;
    u.kind = has(u.said, wire::rst) ? speech::resets : speech::agrees;
    u.options = read_options(f, u.said);
    read_network(f, u);
    return u;
}

} // namespace vestibule
