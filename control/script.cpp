#include "control/script.hpp"

#include <cstring>

#include "engine/checksum.hpp"
#include "engine/wire.hpp"

namespace vestibule {

namespace {

// Appends to a frame, header by header.
class quill {
public:
    template <class Header>
    void put(const Header& h) {
        std::memcpy(frame_.bytes + at_, &h, sizeof(h));
        at_ += sizeof(h);
    }
    void put(const u8* bytes, std::size_t size) {
        std::memcpy(frame_.bytes + at_, bytes, size);
        at_ += size;
    }
    [[nodiscard]] const rehearsal_frame& frame() const { return frame_; }

private:
    rehearsal_frame frame_{};
    std::size_t at_ = 0;
};

struct tcp_part {
    wire::tcp head;
    std::vector<u8> options;
    u8 traffic_class = 0; // of the packet around it
};

void put_link(quill& q, const cue& c, be16 type) {
    q.put(c.from.station.data(), c.from.station.size());
    q.put(c.from.link.data(), c.from.link.size());
    if (c.where.outer_vlan != 0)
        q.put(wire::vlan{c.where.inner_vlan != 0 ? wire::type_service_vlan : wire::type_vlan,
                         network(c.where.outer_vlan)});
    if (c.where.inner_vlan != 0)
        q.put(wire::vlan{wire::type_vlan, network(c.where.inner_vlan)});
    q.put(type);
}

// A hop limit of one: a packet that NAT would lead away dies here instead of leaving, and a listener that insists on near
// peers (IP_MINTTL) stays silent, as it would to far ones.
constexpr u8 one_hop = 1;

wire::ipv4 network_v4(const cue& c, u8 traffic_class, std::size_t tcp_length) {
    wire::ipv4 ip{};
    ip.version_length = 0x45;
    ip.traffic_class = traffic_class;
    ip.total_length = network(static_cast<u16>(sizeof(ip) + tcp_length));
    ip.fragment = network(wire::dont_fragment);
    ip.hop_limit = one_hop;
    ip.protocol = wire::protocol_tcp;
    ip.source = c.from.ip.word[3];
    ip.destination = c.where.local.word[3];
    ip.checksum = folded(sum_words(&ip, 5));
    return ip;
}

wire::ipv6 network_v6(const cue& c, u8 traffic_class, std::size_t tcp_length) {
    return {network(6U << 28 | static_cast<u32>(traffic_class) << 20),
            network(static_cast<u16>(tcp_length)),
            wire::protocol_tcp,
            one_hop,
            c.from.ip,
            c.where.local};
}

void seal(const cue& c, tcp_part& t) {
    const u32 length = static_cast<u32>(sizeof(t.head) + t.options.size());
    u64 sum = static_cast<u32>(network(wire::protocol_tcp + length));
    sum += sum_words(&c.from.ip.word[is_v4(c.from.ip) ? 3 : 0], is_v4(c.from.ip) ? 1 : 4);
    sum += sum_words(&c.where.local.word[is_v4(c.where.local) ? 3 : 0], is_v4(c.where.local) ? 1 : 4);
    sum += sum_words(&t.head, 5) + sum_words(t.options.data(), static_cast<u32>(t.options.size() / 4));
    t.head.checksum = folded(sum);
}

rehearsal_frame frame_with(const cue& c, tcp_part t) {
    t.head.offset_reserved |= static_cast<u8>((sizeof(t.head) + t.options.size()) / 4 << 4);
    seal(c, t);
    const std::size_t length = sizeof(t.head) + t.options.size();
    quill q;
    put_link(q, c, is_v4(c.where.local) ? wire::type_ipv4 : wire::type_ipv6);
    if (is_v4(c.where.local))
        q.put(network_v4(c, t.traffic_class, length));
    else
        q.put(network_v6(c, t.traffic_class, length));
    q.put(t.head);
    q.put(t.options.data(), t.options.size());
    rehearsal_frame f = q.frame();
    f.peer = c.from.ip;
    f.local = c.where.local;
    f.peer_port = t.head.source_port;
    f.local_port = t.head.destination_port;
    return f;
}

wire::tcp header(const cue& c, u16 port, u32 sequence, u8 flags) {
    wire::tcp t{};
    t.source_port = network(port);
    t.destination_port = c.where.port;
    t.sequence = network(sequence);
    t.flags = flags;
    t.window = network(u16{64240});
    return t;
}

std::vector<u8> options_of(const cue& c, offer_class kind) {
    const u8 mss = is_v4(c.where.local) ? 0xb4 : 0xa0; // 1460, 1440
    if (kind == offer_class::no_timestamps)
        return {2, 4, 5, mss, 1, 3, 3, 8, 1, 1, 4, 2};
    return {2, 4, 5, mss, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
}

} // namespace

rehearsal_frame offer_frame(const cue& c, offer_class kind, const disguise& d) {
    tcp_part t{header(c, d.offer_port(kind), d.token, wire::syn | wire::ece | wire::cwr), options_of(c, kind)};
    if (kind == offer_class::no_timestamps)
        t.traffic_class = ecn_capable;
    if (kind == offer_class::accecn) {
        t.head.offset_reserved = wire::accurate_ecn;
        t.traffic_class = marked_class;
    }
    return frame_with(c, std::move(t));
}

rehearsal_frame clearing_frame(const cue& c, offer_class kind, const disguise& d, bool cautious) {
    rehearsal_frame f = frame_with(c, {header(c, d.offer_port(kind), d.token + 1, wire::rst), {}});
    f.clears = 1;
    f.cautious = cautious ? 1 : 0;
    return f;
}

rehearsal_frame stray_ack_frame(const cue& c, bool untracked, const disguise& d) {
    tcp_part t{header(c, d.ack_port(untracked), d.token, wire::ack), {}};
    t.head.acknowledgment = network(d.token ^ (untracked ? 2U : 1U));
    return frame_with(c, std::move(t));
}

} // namespace vestibule
