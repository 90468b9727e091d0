// A SYN that nothing speaks against, known by a reader that takes plain frames only and has nothing of the engine's: such a
// one must be answered, by a host that serves. Of all others it says nothing.
#pragma once

#include <algorithm>
#include <optional>

#include "test/support/oracle.hpp"

namespace vestibule::test::clean {

// The TCP segment of a frame with at most one tag, no IP options and no extension headers, and what stands before it.
struct segment {
    bytes source;
    bytes destination;
    bytes tcp;
};

inline std::optional<segment> in_v4(const bytes& packet) {
    const bool plain = packet.size() >= 40 && packet[0] == 0x45 && packet[9] == 6 && (two_at(packet, 6) & 0xbfff) == 0;
    if (!plain || two_at(packet, 2) > packet.size() || two_at(packet, 2) < 40)
        return {};
    if (internet_checksum(part(packet, 0, 20)) != 0)
        return {};
    return segment{part(packet, 12, 4), part(packet, 16, 4), part(packet, 20, two_at(packet, 2) - 20)};
}

inline std::optional<segment> in_v6(const bytes& packet) {
    const bool plain = packet.size() >= 60 && packet[0] >> 4 == 6 && packet[6] == 6;
    if (!plain || 40 + two_at(packet, 4) > packet.size() || two_at(packet, 4) < 20)
        return {};
    return segment{part(packet, 8, 16), part(packet, 24, 16), part(packet, 40, two_at(packet, 4))};
}

inline std::optional<segment> in_frame(const bytes& frame) {
    if (frame.size() < 18)
        return {};
    const std::size_t at = two_at(frame, 12) == 0x8100 ? 16 : 12;
    const bytes packet = part(frame, at + 2, frame.size() - at - 2);
    if (two_at(frame, at) == 0x0800)
        return in_v4(packet);
    return two_at(frame, at) == 0x86dd ? in_v6(packet) : std::nullopt;
}

// Nothing reserved, no loopback, no multicast; of IPv6, what begins with 0x20 to 0xfe.
inline bool unicast(const bytes& a) {
    return a.size() == 4 ? a[0] != 0 && a[0] != 127 && a[0] < 224 : a[0] >= 0x20 && a[0] < 0xff;
}

inline bytes options_of(const bytes& tcp) {
    return part(tcp, 20, (tcp[12] >> 4) * 4U - 20);
}

// A SYN alone, or with ECN's two flags.
inline bool opens(const bytes& tcp) {
    const std::size_t header = (tcp[12] >> 4) * 4U;
    const u32 rest = tcp[13] & ~(u32{wire::psh} | wire::urg);
    const bool syn = rest == wire::syn || rest == (wire::syn | wire::ece | wire::cwr);
    return syn && (tcp[12] & 15) == 0 && header >= 20 && header <= tcp.size() &&
           four_at(tcp, 4) != world::rehearsal_token;
}

// No signature, nothing malformed, and no data where that might mean Fast Open.
inline bool ordinary(const bytes& tcp, bool fast_open) {
    const u32 kinds = oracle::read_options(options_of(tcp)).kinds;
    const bool data = tcp.size() > (tcp[12] >> 4) * 4U;
    return (kinds & (offers_signature | offers_nonsense)) == 0 &&
           !(fast_open && (data || (kinds & offers_fast_open) != 0));
}

inline bool syn(const bytes& frame, bool fast_open) {
    const std::optional<segment> s = in_frame(frame);
    return s && unicast(s->source) && unicast(s->destination) && s->source != s->destination && opens(s->tcp) &&
           ordinary(s->tcp, fast_open);
}

} // namespace vestibule::test::clean
