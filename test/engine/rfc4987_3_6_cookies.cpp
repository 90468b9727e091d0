// RFC 4987 section 3.6: SYN cookies. The layout is drawn above engine/cookie.hpp, the arithmetic of attacks is in
// DESIGN.md and measured in forged.cpp.
//
// Not the adaptor's:
//   3.1 to 3.5, 3.7  filters, larger backlogs, shorter timers, caches, proxies - other defences
//   3.6              giving up options for want of room - the memo has room for all but timestamps
#include "test/engine/cookie_of.hpp"
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

class rfc4987_3_6 : public cookie_of {};

bool same_memo(const memo& a, const memo& b) {
    return a.mss_index == b.mss_index && a.shift == b.shift && a.sack == b.sack && a.ecn == b.ecn;
}

TEST_P(rfc4987_3_6, a_cookie_carries_every_memo_there_and_back) {
    for (u32 bits = 0; bits < 512; ++bits) {
        const memo in = cookies::unpack(bits);
        EXPECT_EQ(cookies::pack(in), bits);
        memo out{};
        ASSERT_TRUE(check_cookie(some_keys, acknowledging(syn(), made(in)), our_shift, out)) << bits;
        ASSERT_TRUE(same_memo(in, out)) << bits;
    }
}

// The layout, and the message under the MAC, by another hand: adaptors that share keys must agree on both.
TEST_P(rfc4987_3_6, its_layout_is_mac_parity_and_masked_memo) {
    const draft d = syn_draft();
    const u32 packed = cookies::pack(some_memo);
    const bytes isn{0x04, 0x03, 0x02, 0x01}; // little-endian
    const bytes memo_bytes{static_cast<u8>(packed), static_cast<u8>(packed >> 8), our_shift, 0};
    const bytes message = join({drafting::addresses(d), two(d.from_port), two(d.to_port), isn, memo_bytes});
    const auto mac = static_cast<u32>(sodium_siphash(some_keys.cookie[1], message) >> 42);
    EXPECT_EQ(made(), mac << 10 | 1U << 9 | (packed ^ (mac & 0x1ff)));
}

TEST_P(rfc4987_3_6, any_changed_bit_of_it_is_noticed) {
    for (u32 bit = 0; bit < 32; ++bit)
        EXPECT_FALSE(holds(some_keys, acknowledging(syn(), made() ^ (1U << bit)))) << bit;
}

TEST_P(rfc4987_3_6, it_belongs_to_one_connection_only) {
    const u32 cookie = made();
    const auto refused = [&](const draft& d) { return !holds(some_keys, acknowledging(syn_of(d), cookie)); };
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

TEST_P(rfc4987_3_6, it_binds_the_window_scale_that_was_promised) {
    for (u8 shift = 0; shift <= 14; ++shift)
        EXPECT_EQ(holds(some_keys, acknowledging(syn(), made()), shift), shift == our_shift);
}

TEST_P(rfc4987_3_6, it_survives_one_change_of_keys_and_not_two) {
    const segment ack = acknowledging(syn(), made());
    const key_ring once = rotated(some_keys, 111);
    const key_ring twice = rotated(once, 222);
    EXPECT_TRUE(holds(some_keys, ack));
    EXPECT_TRUE(holds(once, ack));
    EXPECT_FALSE(holds(twice, ack));
    EXPECT_FALSE(holds(rotated(twice, 333), ack));
}

TEST_P(rfc4987_3_6, it_is_made_with_the_current_key_and_names_it) {
    key_ring keys = some_keys;
    for (u32 current = 0; current < 2; ++current) {
        keys.current = current;
        const u32 c = make_cookie(keys, syn(), some_memo, our_shift);
        EXPECT_EQ(c >> 9 & 1, current);
        EXPECT_TRUE(holds(keys, acknowledging(syn(), c)));
    }
}

INSTANTIATE_TEST_SUITE_P(, rfc4987_3_6, testing::Bool(), family_of);

// --- In a handshake --------------------------------------------------------------------------------------------------

TEST(rfc4987_3_6_handshake, keys_may_change_once_during_it_and_not_twice) {
    world w;
    const draft ack = ack_of(windows_v4(), w);
    w.keys = rotated(w.keys, 5);
    EXPECT_EQ(w.complete(ack).result, admitted);
    w.keys = rotated(w.keys, 7);
    EXPECT_EQ(w.complete(ack).result, invalid);
}

// The keys in force at that second of the wall clock.
key_ring keys_at(u64 second) {
    const u64 epoch = second / usual_key_epoch_seconds;
    key_ring ring = some_keys;
    ring.current = static_cast<u32>(epoch & 1);
    ring.cookie[epoch & 1] = {epoch, 1};
    ring.cookie[(epoch + 1) & 1] = {epoch - 1, 1};
    return ring;
}

// A handshake begun so many seconds into an epoch, whose ACK comes so much later.
outcome late(const draft& syn, u64 into_epoch, u64 seconds) {
    const u64 begun = 100 * usual_key_epoch_seconds + into_epoch;
    world w;
    w.keys = keys_at(begun);
    const draft ack = ack_of(syn, w);
    w.keys = keys_at(begun + seconds);
    w.now_ms += seconds * 1000;
    return w.complete(ack).result;
}

// The kernel keeps a connection half open for 1 + 2 + 4 + 8 + 16 + 32 s (tcp_synack_retries = 5), and then resets the
// ACK.
TEST(rfc4987_3_6_late, up_to_a_minute_an_ack_is_admitted_whenever_the_keys_change) {
    for (u64 into_epoch = 0; into_epoch < usual_key_epoch_seconds; ++into_epoch)
        for (const u64 seconds : {1, 10, 59})
            for (const draft& syn : {linux_v4(), linux_v6(), windows_v4()})
                EXPECT_EQ(late(syn, into_epoch, seconds), admitted) << into_epoch << ", " << seconds;
}

TEST(rfc4987_3_6_late, with_timestamps_70_seconds_are_too_many) {
    for (u64 into_epoch = 0; into_epoch < usual_key_epoch_seconds; ++into_epoch)
        for (const draft& syn : {linux_v4(), linux_v6()})
            EXPECT_EQ(late(syn, into_epoch, 70), invalid) << into_epoch;
}

TEST(rfc4987_3_6_late, without_timestamps_an_ack_is_admitted_until_the_second_change) {
    for (u64 into_epoch = 0; into_epoch < usual_key_epoch_seconds; ++into_epoch) {
        const u64 left = 2 * usual_key_epoch_seconds - into_epoch;
        EXPECT_EQ(late(windows_v4(), into_epoch, 70), left > 70 ? admitted : invalid) << into_epoch;
        EXPECT_EQ(late(windows_v4(), into_epoch, left - 1), admitted) << into_epoch;
        EXPECT_EQ(late(windows_v4(), into_epoch, left), invalid) << into_epoch;
    }
}

// Nothing is kept, so nothing can be filled up: what a SYN finds is the same after any number of others.
TEST(rfc4987_3_6_handshake, a_syn_is_answered_alike_however_many_came_before) {
    const world w;
    const bytes first = w.attempt(linux_v4()).reply;
    for (u16 port = 1; port < 2000; ++port)
        EXPECT_EQ(met(v4({.from_port = port}), w), answered);
    EXPECT_EQ(w.attempt(linux_v4()).reply, first);
}

} // namespace
} // namespace vestibule::test
