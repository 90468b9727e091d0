// Rules that the engine is held to, by another hand: the cookie from its layout in DESIGN.md and libsodium's
// SipHash, the timestamp clock from the definition of SipHash-1-3, the options as the kernel's tcp_parse_options reads them.
#pragma once

#include <algorithm>

#include "engine/cookie.hpp"
#include "engine/options.hpp"
#include "test/engine/world.hpp"

namespace vestibule::test::oracle {

struct connection {
    bytes addresses; // source, destination, as on the wire
    bytes ports;
    u32 peer_isn;
};

inline connection connection_of(const segment& s, u32 peer_isn) {
    bytes addresses;
    drafting::append_address(addresses, s.source, s.v6);
    drafting::append_address(addresses, s.destination, s.v6);
    return {addresses, join({two(host(s.source_port)), two(host(s.destination_port))}), peer_isn};
}

inline bytes little_endian(u32 value) {
    return {static_cast<u8>(value), static_cast<u8>(value >> 8), static_cast<u8>(value >> 16),
            static_cast<u8>(value >> 24)};
}

inline u32 cookie(const key_ring& keys, const connection& c, u32 memo_bits, u8 our_shift, u32 parity) {
    const u32 rest = memo_bits | static_cast<u32>(our_shift) << 16;
    const bytes message = join({c.addresses, c.ports, little_endian(c.peer_isn), little_endian(rest)});
    const auto mac = static_cast<u32>(sodium_siphash(keys.cookie[parity], message) >> 42);
    return mac << 10 | parity << 9 | (memo_bits ^ (mac & 0x1ff));
}

// Whether that number is what we would have made for this connection; every cookie names its own key and memo.
inline bool is_ours(const key_ring& keys, const connection& c, u32 number, u8 our_shift) {
    const u32 memo_bits = (number ^ number >> 10) & 0x1ff;
    return cookie(keys, c, memo_bits, our_shift, number >> 9 & 1) == number;
}

// Of IPv4 and of IPv6.
inline constexpr u32 mss_sizes[2][8]{{536, 1220, 1360, 1400, 1440, 1452, 1460, 8960},
                                     {1220, 1300, 1360, 1380, 1400, 1432, 1440, 8940}};

// What a record says of the MSS that a peer offered: the next smaller of eight sizes. A listener may have said that it
// wants no larger segments (TCP_MAXSEG).
inline u32 kept_mss(bool v6, u32 offered, u32 most = 0) {
    const u32 least = mss_sizes[v6][0];
    const u32 size = *(std::upper_bound(mss_sizes[v6] + 1, mss_sizes[v6] + 8, offered) - 1);
    return most == 0 ? size : std::min(size, std::max(most, least));
}

// The adaptor's timestamp clock for the addresses of a connection.
inline u32 timestamp_clock(const key_ring& keys, const connection& c, u64 now_ms) {
    return static_cast<u32>(siphash_1_3_by_definition::of(keys.clock, c.addresses)) + static_cast<u32>(now_ms);
}

// Whether `e` is the record of a handshake of ours, completed now by a segment that echoes `echo`: all that it says is in
// the cookie, and, where timestamps are in force, our clock showed what is echoed within the last minute. (An echo of zero
// tells nothing.) Which scale we promised is for the caller to know.
inline bool confirms(const established& e, const key_ring& keys, u64 now_ms, u32 echo, u32 most_mss = 0) {
    const bool v6 = !is_v4(e.peer);
    bytes addresses;
    drafting::append_address(addresses, e.peer, v6);
    drafting::append_address(addresses, e.local, v6);
    const connection c{addresses, join({two(host(e.peer_port)), two(host(e.local_port))}), e.peer_isn};
    const u32 memo_bits = (e.local_isn ^ e.local_isn >> 10) & 0x1ff;
    const u32 shift = memo_bits >> 2 & 15;
    const u32 clock = timestamp_clock(keys, c, now_ms);
    const bool timely = echo == 0 || clock - echo <= 60'000;
    return is_ours(keys, c, e.local_isn, e.local_shift) &&
           e.mss == kept_mss(v6, mss_sizes[v6][memo_bits >> 6], most_mss) && e.window_scale == (shift != 15) &&
           e.peer_shift == (shift != 15 ? shift : 0) && (shift != 15 || e.local_shift == 0) &&
           e.sack == (memo_bits >> 1 & 1) && e.ecn == (memo_bits & 1) &&
           (e.timestamps == 0 || (timely && e.timestamp_now == clock));
}

inline bool same(const memo& a, const memo& b) {
    return cookies::pack(a) == cookies::pack(b);
}

inline void take_option(offer& o, u8 kind, const bytes& content) {
    if (kind == 2 && content.size() == 2 && two_at(content, 0) != 0)
        o.mss = two_at(content, 0);
    if (kind == 3 && content.size() == 1) {
        o.kinds |= offers_window_scale;
        o.shift = content[0] > 14 ? 14 : content[0];
    }
    if (kind == 4 && content.empty())
        o.kinds |= offers_sack;
    if (kind == 8 && content.size() == 8) {
        o.kinds |= offers_timestamps;
        o.timestamp = four_at(content, 0);
        o.timestamp_echo = four_at(content, 4);
    }
    if (kind == 19 || kind == 29)
        o.kinds |= offers_signature;
    if (kind == 34 || (kind == 254 && content.size() >= 2 && two_at(content, 0) == 0xf989))
        o.kinds |= offers_fast_open;
}

// tcp_parse_options: NOP is one byte, End of Option List ends, a length below two or past the header ends.
inline offer read_options(const bytes& options) {
    offer o{};
    std::size_t at = 0;
    while (at < options.size() && options[at] != 0) {
        if (options[at] == 1) {
            ++at;
            continue;
        }
        if (at + 1 >= options.size() || options[at + 1] < 2 || at + options[at + 1] > options.size()) {
            o.kinds |= at + 18 <= options.size() ? offers_nonsense : 0; // tcp_do_parse_auth_options
            break;
        }
        take_option(o, options[at], part(options, at + 2, options[at + 1] - 2U));
        at += options[at + 1];
    }
    return o;
}

inline bool same(const offer& a, const offer& b) {
    return __builtin_memcmp(&a, &b, sizeof(a)) == 0;
}

} // namespace vestibule::test::oracle
