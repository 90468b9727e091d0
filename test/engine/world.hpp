// A host with one listener on port 80 of each family, an answer on file for both, and a moment in time. Tests change what
// they are about and leave the rest.
#pragma once

#include <sodium.h>

#include "test/support/draft.hpp"
#include "test/support/native.hpp"
#include "test/support/print.hpp"
#include "test/support/reply.hpp"
#include "test/support/siphash_1_3.hpp"

namespace vestibule::test {

inline constexpr key_ring some_keys{
    {{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL}, {0x1716151413121110ULL, 0x1f1e1d1c1b1a1918ULL}},
    {0x2726252423222120ULL, 0x2f2e2d2c2b2a2928ULL},
    1,
    0};

inline constexpr u8 allows_all = allows_window_scale | allows_sack | allows_timestamps | allows_ecn;

inline answer some_answer() {
    answer a{};
    a.with_timestamps = {65160, 1460, 7, allows_all, 7, 0};
    a.without_timestamps = {64240, 1460, 7, allows_all, 7, 0};
    __builtin_memcpy(a.link_address, host_link.data(), 6);
    __builtin_memcpy(a.way_back, peer_link.data(), 6);
    a.hop_limit = 64;
    a.state = service::served;
    a.dont_fragment = 1;
    return a;
}

struct world {
    key_ring keys = some_keys;
    answer v4_answer = some_answer();
    answer v6_answer = some_answer();
    bool on_file = true;
    listener socket = listening();
    u64 now_ms = 1'000'000;
    bool answering = true;
    static constexpr u32 ifindex = 3;
    static constexpr u32 rehearsal_token = 0x7e4ea75a;

    // Both families' answers are the same in most tests.
    void answers(const answer& a) { v4_answer = v6_answer = a; }

    [[nodiscard]] imagined_host host_side() const {
        imagined_host h;
        const be16 http = network(u16{80});
        const address here[]{ip("192.0.2.1"), ip("2001:db8::1")};
        for (const address& local : here) {
            if (socket.state == socket_state::listening)
                h.doors.push_back({local, http, socket});
            if (on_file)
                h.answers.push_back({{ifindex, 0, 0, local, http, 0}, is_v4(local) ? v4_answer : v6_answer});
        }
        return h;
    }

    [[nodiscard]] circumstances moment() const { return {keys, now_ms, ifindex, rehearsal_token, answering}; }
    [[nodiscard]] attempted attempt(const draft& d) const { return attempt(frame_of(d)); }
    [[nodiscard]] attempted attempt(const bytes& b) const { return test::attempt(b, host_side(), moment()); }
    [[nodiscard]] completed complete(const draft& d) const { return complete(frame_of(d)); }
    [[nodiscard]] completed complete(const bytes& b) const { return test::complete(b, host_side(), moment()); }
};

// The peer's completing ACK: to the SYN `d` answered by `r`, as a peer with that SYN's options would send it.
inline draft completing(const draft& syn, const synack& r, u32 peer_timestamp = 0x11223399) {
    draft d = syn;
    d.flags = wire::ack;
    d.reserved = 0;
    d.sequence = syn.sequence + 1;
    d.acknowledgment = r.isn + 1;
    d.options = r.timestamps ? opt::stamped(peer_timestamp, r.timestamp) : bytes{};
    d.payload = {};
    return d;
}

inline u64 word_of(const bytes& b, std::size_t at, std::size_t count) {
    u64 word = 0;
    for (std::size_t i = 0; i < count; ++i)
        word |= static_cast<u64>(b[at + i]) << (8 * i);
    return word;
}

template <class Hash>
u64 hash(const secret_key& key, const bytes& message) {
    auto h = sip::start<Hash>(key);
    std::size_t at = 0;
    for (; message.size() - at >= 8; at += 8)
        sip::add(h, word_of(message, at, 8));
    const std::size_t rest = message.size() - at;
    return sip::finish(h, word_of(message, at, rest), static_cast<u32>(rest));
}

// SipHash-2-4 by another hand.
inline u64 sodium_siphash(const secret_key& key, const bytes& message) {
    static_assert(crypto_shorthash_BYTES == sizeof(u64) && crypto_shorthash_KEYBYTES == sizeof(secret_key));
    u64 hash = 0;
    crypto_shorthash(reinterpret_cast<u8*>(&hash), message.data(), message.size(), reinterpret_cast<const u8*>(&key));
    return hash;
}

} // namespace vestibule::test
