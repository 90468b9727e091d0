// The cookie: RFC 6528 (keyed initial sequence numbers), RFC 4987 section 3.6 (SYN cookies), RFC 5961 section 5.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "test/engine/world.hpp"

namespace vestibule::test {
namespace {

constexpr memo some_memo{6, 7, true, false};
constexpr u8 our_shift = 9;

segment syn_of(const draft& d) {
    return read(frame_of(d)).s;
}

// The segment that acknowledges `cookie` to the SYN `s`.
segment ack_of(segment s, u32 cookie) {
    s.flags = wire::ack;
    s.sequence += 1;
    s.acknowledgment = cookie + 1;
    return s;
}

bool holds(const key_ring& keys, const segment& ack, u8 shift = our_shift) {
    memo m{};
    return check_cookie(keys, ack, shift, m);
}

key_ring rotated(key_ring keys, u64 fresh) {
    keys.current ^= 1;
    keys.cookie[keys.current] = {fresh, fresh * 3};
    return keys;
}

bool same_memo(const memo& a, const memo& b) {
    return a.mss_index == b.mss_index && a.shift == b.shift && a.sack == b.sack && a.ecn == b.ecn;
}

class cookie : public testing::TestWithParam<bool> {
protected:
    static draft syn_draft() { return GetParam() ? v6() : v4(); }
    static segment syn() { return syn_of(syn_draft()); }
    static u32 made(const memo& m = some_memo) { return make_cookie(some_keys, syn(), m, our_shift); }
};

TEST_P(cookie, carries_every_memo_there_and_back) {
    for (u32 bits = 0; bits < 512; ++bits) {
        const memo in = cookies::unpack(bits);
        EXPECT_EQ(cookies::pack(in), bits);
        memo out{};
        ASSERT_TRUE(check_cookie(some_keys, ack_of(syn(), made(in)), our_shift, out)) << bits;
        ASSERT_TRUE(same_memo(in, out)) << bits;
    }
}

// The layout, and the message under the MAC, by another hand: adaptors that share keys must agree on both.
TEST_P(cookie, layout_is_mac_parity_and_masked_memo) {
    const draft d = syn_draft();
    const u32 packed = cookies::pack(some_memo);
    const bytes isn{0x04, 0x03, 0x02, 0x01}; // little-endian
    const bytes memo_bytes{static_cast<u8>(packed), static_cast<u8>(packed >> 8), our_shift, 0};
    const bytes message = join({drafting::addresses(d), two(d.from_port), two(d.to_port), isn, memo_bytes});
    const auto mac = static_cast<u32>(sodium_siphash(some_keys.cookie[1], message) >> 42);
    EXPECT_EQ(made(), mac << 10 | 1U << 9 | (packed ^ (mac & 0x1ff)));
}

TEST_P(cookie, any_changed_bit_of_it_is_noticed) {
    for (u32 bit = 0; bit < 32; ++bit)
        EXPECT_FALSE(holds(some_keys, ack_of(syn(), made() ^ (1U << bit)))) << bit;
}

// Whoever guesses has one chance in 2^22 for each key and memo, no more and no less.
TEST_P(cookie, of_all_macs_exactly_one_is_taken) {
    const segment s = syn();
    const u32 packed = cookies::pack(some_memo);
    int taken = 0;
    for (u32 mac = 0; mac < 1U << 22; ++mac)
        taken += holds(some_keys, ack_of(s, mac << 10 | 1U << 9 | (packed ^ (mac & 0x1ff))));
    EXPECT_EQ(taken, 1);
}

TEST_P(cookie, belongs_to_one_connection_only) {
    const u32 cookie = made();
    const auto refused = [&](const draft& d) { return !holds(some_keys, ack_of(syn_of(d), cookie)); };
    draft d = syn_draft();
    d.from_port ^= 1;
    EXPECT_TRUE(refused(d));
    d = syn_draft();
    d.to_port ^= 1;
    EXPECT_TRUE(refused(d));
    d = syn_draft();
    d.sequence ^= 1;
    EXPECT_TRUE(refused(d));
    for (int word = GetParam() ? 0 : 3; word < 4; ++word) {
        d = syn_draft();
        d.source.word[word] = network(host(d.source.word[word]) ^ 1U);
        EXPECT_TRUE(refused(d)) << word;
        d = syn_draft();
        d.destination.word[word] = network(host(d.destination.word[word]) ^ 1U);
        EXPECT_TRUE(refused(d)) << word;
    }
}

TEST_P(cookie, binds_the_window_scale_that_was_promised) {
    for (u8 shift = 0; shift <= 14; ++shift)
        EXPECT_EQ(holds(some_keys, ack_of(syn(), made()), shift), shift == our_shift);
}

TEST_P(cookie, survives_one_key_rotation_and_not_two) {
    const segment ack = ack_of(syn(), made());
    const key_ring once = rotated(some_keys, 111);
    const key_ring twice = rotated(once, 222);
    EXPECT_TRUE(holds(some_keys, ack));
    EXPECT_TRUE(holds(once, ack));
    EXPECT_FALSE(holds(twice, ack));
    EXPECT_FALSE(holds(rotated(twice, 333), ack));
}

TEST_P(cookie, of_either_key_is_made_with_the_current_one) {
    key_ring keys = some_keys;
    for (u32 current = 0; current < 2; ++current) {
        keys.current = current;
        const u32 c = make_cookie(keys, syn(), some_memo, our_shift);
        EXPECT_EQ(c >> 9 & 1, current);
        EXPECT_TRUE(holds(keys, ack_of(syn(), c)));
    }
}

// RFC 6528 section 3: who sees many ISNs learns nothing about the next. Every bit but the key's name is a coin.
TEST_P(cookie, rfc6528_every_bit_looks_random) {
    constexpr int many = 8192;
    std::array<int, 32> ones{};
    for (u32 isn = 0; isn < many; ++isn) {
        segment s = syn();
        s.sequence = isn;
        const u32 c = make_cookie(some_keys, s, some_memo, our_shift);
        for (u32 bit = 0; bit < 32; ++bit)
            ones[bit] += static_cast<int>(c >> bit & 1);
    }
    EXPECT_EQ(ones[9], many);
    ones[9] = many / 2;
    for (u32 bit = 0; bit < 32; ++bit)
        EXPECT_NEAR(ones[bit], many / 2, 250) << bit; // 5.5 standard deviations
}

INSTANTIATE_TEST_SUITE_P(both_families, cookie, testing::Bool(),
                         [](const auto& info) { return info.param ? "v6" : "v4"; });

// --- The MSS that a cookie can carry (RFC 9293 section 3.7.1, RFC 6691) -----------------------------------------------

TEST(cookie_mss, tables_rise_from_the_least_that_the_kernel_takes) {
    EXPECT_EQ(mss_v4.size[0], 536);
    EXPECT_EQ(mss_v6.size[0], 1220);
    EXPECT_TRUE(std::is_sorted(std::begin(mss_v4.size), std::end(mss_v4.size)));
    EXPECT_TRUE(std::is_sorted(std::begin(mss_v6.size), std::end(mss_v6.size)));
}

TEST(cookie_mss, is_rounded_down_and_never_up_but_to_the_least) {
    for (const bool six : {false, true})
        for (u32 offered = 0; offered <= 0xffff; ++offered) {
            const mss_table& table = six ? mss_v6 : mss_v4;
            u32 expected = table.size[0];
            for (const u32 size : table.size)
                expected = size <= offered ? size : expected;
            ASSERT_EQ(cookies::mss_of(six, cookies::mss_index(six, offered)), expected) << offered;
        }
}

TEST(cookie_mss, no_offer_means_536_or_1220) {
    EXPECT_EQ(cookies::mss_of(false, cookies::mss_index(false, 0)), 536);
    EXPECT_EQ(cookies::mss_of(true, cookies::mss_index(true, 0)), 1220);
}

} // namespace
} // namespace vestibule::test
