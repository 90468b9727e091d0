// The adaptor's initial sequence number: 32 bits that carry, and authenticate, what must be known when the ACK comes.
//
//      31                            10   9   8     6 5          2   1     0
//     +--------------------------------+---+---------+------------+----+-----+
//     |              MAC 22            | P |  MSS 3  |  shift 4   |SACK| ECN |
//     +--------------------------------+---+---------+------------+----+-----+
//                                            \___ memo, masked with the MAC's low bits ___/
//
// P names the key (abi/keys.hpp). The MAC is SipHash-2-4 over addresses, ports, the peer's ISN, the memo and the window
// scale we promised, so nothing of it can be changed or moved to another connection. The mask hides nothing (the options
// crossed the wire in clear): it makes every bit of the ISN look random to who watches many (RFC 6528). It is taken from
// the MAC that stands beside it, so one hash serves both. The arithmetic of an attack on this is in DESIGN.md.
#pragma once

#include "engine/clock.hpp"
#include "engine/options.hpp"

namespace vestibule {

// What the cookie remembers of the peer's offer, after the host has had its say.
struct memo {
    u8 mss_index;
    u8 shift; // 0..14; no_shift: no window scaling
    bool sack;
    bool ecn;
};

constexpr u8 no_shift = 15;

// Rounded down to these (never up, but to the least the kernel takes): the sizes that peers send, by how often they are met.
struct mss_table {
    u16 size[8];
};
constexpr mss_table mss_v4 = {{536, 1220, 1360, 1400, 1440, 1452, 1460, 8960}};
constexpr mss_table mss_v6 = {{1220, 1300, 1360, 1380, 1400, 1432, 1440, 8940}};

namespace cookies {

constexpr u32 mac_bits = 22;
constexpr u32 memo_bits = 9;
constexpr u32 memo_mask = (1U << memo_bits) - 1;

ENGINE u16 mss_of(bool v6, u8 index) {
    u16 size = 0;
    for (u32 i = 0; i < 8; ++i) // a constant-folded chain: a table in memory would be a map look-up in BPF
        size = index == i ? (v6 ? mss_v6.size[i] : mss_v4.size[i]) : size;
    return size;
}

// From the largest down: the sizes that are met most often stand there.
ENGINE u8 index_in(const mss_table& table, u32 mss) {
    for (u8 i = 7; i > 0; --i)
        if (mss >= table.size[i])
            return i;
    return 0;
}

ENGINE u8 mss_index(bool v6, u32 mss) {
    return v6 ? index_in(mss_v6, mss) : index_in(mss_v4, mss);
}

ENGINE u32 pack(const memo& m) {
    return static_cast<u32>(m.mss_index) << 6 | static_cast<u32>(m.shift) << 2 | static_cast<u32>(m.sack) << 1 |
           static_cast<u32>(m.ecn);
}

ENGINE memo unpack(u32 bits) {
    return {static_cast<u8>(bits >> 6 & 7), static_cast<u8>(bits >> 2 & 15), (bits & 2) != 0, (bits & 1) != 0};
}

// The message: addresses and ports as on the wire, then the peer's ISN, then memo and our shift, little-endian.
ENGINE u32 mac(const secret_key& key, const segment& s, u32 peer_isn, u32 packed, u8 our_shift) {
    auto h = sip::start<siphash_2_4>(key);
    add_addresses(h, s);
    const u64 ports = static_cast<u64>(s.source_port) | static_cast<u64>(s.destination_port) << 16;
    sip::add(h, ports | static_cast<u64>(peer_isn) << 32);
    const u64 rest = packed | static_cast<u64>(our_shift) << 16;
    return static_cast<u32>(sip::finish(h, rest, 4) >> (64 - mac_bits));
}

ENGINE const secret_key& key_of(const key_ring& keys, u32 parity) {
    return parity != 0 ? keys.cookie[1] : keys.cookie[0];
}

} // namespace cookies

// The cookie for the SYN `s`, whose sequence number is the peer's ISN.
ENGINE u32 make_cookie(const key_ring& keys, const segment& s, const memo& m, u8 our_shift) {
    const u32 parity = keys.current & 1;
    const u32 packed = cookies::pack(m);
    const u32 mac = cookies::mac(cookies::key_of(keys, parity), s, s.sequence, packed, our_shift);
    const u32 masked = packed ^ (mac & cookies::memo_mask);
    return mac << (32 - cookies::mac_bits) | parity << cookies::memo_bits | masked;
}

// Whether `s` acknowledges a cookie of ours: `m` is what that cookie remembers. our_shift must be the one promised.
ENGINE bool check_cookie(const key_ring& keys, const segment& s, u8 our_shift, memo& m) {
    const u32 cookie = s.acknowledgment - 1;
    const u32 mac = cookie >> (32 - cookies::mac_bits);
    const u32 packed = (cookie ^ mac) & cookies::memo_mask;
    const u32 parity = cookie >> cookies::memo_bits & 1;
    m = cookies::unpack(packed);
    return cookies::mac(cookies::key_of(keys, parity), s, s.sequence - 1, packed, our_shift) == mac;
}

} // namespace vestibule
