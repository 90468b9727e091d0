// RFC 9293 section 3.7.1 (and RFC 6691): the maximum segment size - as a peer says it, as we say it, as a cookie can
// carry it and as the host gets it.
//
// Not the adaptor's:
//   MUST-16, MUST-67  reckoning with IP and TCP options when sending - the stack's, from the size handed over
//   3.7.2 to 3.7.4    path MTU discovery, Nagle - the stack's
#include <algorithm>

#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

// --- Read ------------------------------------------------------------------------------------------------------------

TEST(rfc9293_3_7_1, an_mss_counts_only_with_its_own_length) {
    EXPECT_EQ(offer_of(opt::option(2, {})).mss, 0U);
    EXPECT_EQ(offer_of(opt::option(2, {5})).mss, 0U);
    EXPECT_EQ(offer_of(opt::option(2, {5, 0xb4, 0})).mss, 0U);
    EXPECT_EQ(offer_of(opt::mss(65535)).mss, 65535U);
    EXPECT_EQ(offer_of(opt::mss(1)).mss, 1U);
}

TEST(rfc9293_3_7_1, an_mss_of_0_is_no_offer_and_undoes_none) {
    EXPECT_EQ(offer_of(opt::mss(0)).mss, 0U);
    EXPECT_EQ(offer_of(join({opt::mss(1400), opt::mss(0)})).mss, 1400U);
}

TEST(rfc9293_3_7_1, only_that_of_the_syn_counts) {
    draft ack = ack_of(windows_v4());
    ack.options = opt::mss(900);
    const completed c = world{}.complete(ack);
    EXPECT_EQ(c.result, admitted);
    EXPECT_EQ(c.record.mss, 1460);
}

// --- Said ------------------------------------------------------------------------------------------------------------

// MUST-14, SHLD-5.
TEST(rfc9293_3_7_1, ours_is_always_said_and_is_the_hosts_own) {
    world w;
    w.v4_answer.without_timestamps.mss = 1400;
    w.v6_answer.without_timestamps.mss = 1280;
    EXPECT_EQ(options_to({}, w), opt::mss(1400));
    EXPECT_EQ(options_to(opt::mss(9000), w), opt::mss(1400));
    EXPECT_EQ(reply_to(v6(), w).options, opt::mss(1280));
}

// --- Carried ---------------------------------------------------------------------------------------------------------

TEST(rfc9293_3_7_1, tables_rise_from_the_least_that_the_kernel_takes) {
    EXPECT_EQ(mss_v4.size[0], 536);
    EXPECT_EQ(mss_v6.size[0], 1220);
    EXPECT_TRUE(std::is_sorted(std::begin(mss_v4.size), std::end(mss_v4.size)));
    EXPECT_TRUE(std::is_sorted(std::begin(mss_v6.size), std::end(mss_v6.size)));
}

// A cookie names a place in them, so adaptors that share keys must have the same ones.
TEST(rfc9293_3_7_1, tables_are_these_and_no_others) {
    constexpr u16 four[]{536, 1220, 1360, 1400, 1440, 1452, 1460, 8960};
    constexpr u16 six[]{1220, 1300, 1360, 1380, 1400, 1432, 1440, 8940};
    EXPECT_TRUE(std::ranges::equal(mss_v4.size, four));
    EXPECT_TRUE(std::ranges::equal(mss_v6.size, six));
}

TEST(rfc9293_3_7_1, it_is_rounded_down_and_never_up_but_to_the_least) {
    for (const bool six : {false, true})
        for (u32 offered = 0; offered <= 0xffff; ++offered) {
            const mss_table& table = six ? mss_v6 : mss_v4;
            u32 expected = table.size[0];
            for (const u32 size : table.size)
                expected = size <= offered ? size : expected;
            ASSERT_EQ(cookies::mss_of(six, cookies::mss_index(six, offered)), expected) << offered;
        }
}

// MUST-15.
TEST(rfc9293_3_7_1, no_offer_means_536_or_1220) {
    EXPECT_EQ(cookies::mss_of(false, cookies::mss_index(false, 0)), 536);
    EXPECT_EQ(cookies::mss_of(true, cookies::mss_index(true, 0)), 1220);
    EXPECT_EQ(record_of(v4()).mss, 536);
    EXPECT_EQ(record_of(v6()).mss, 1220);
}

// --- Handed over -----------------------------------------------------------------------------------------------------

TEST(rfc9293_3_7_1, the_record_has_it_rounded_down) {
    EXPECT_EQ(record_of(v4({.options = opt::mss(1459)})).mss, 1452);
    EXPECT_EQ(record_of(v4({.options = opt::mss(9000)})).mss, 8960);
    EXPECT_EQ(record_of(v6({.options = opt::mss(1439)})).mss, 1432);
}

TEST(rfc9293_3_7_1, the_listeners_tcp_maxseg_bounds_it_and_not_below_the_least) {
    world w;
    w.socket.most_mss = 1000;
    EXPECT_EQ(record_of(linux_v4(), w).mss, 1000);
    w.socket.most_mss = 100;
    EXPECT_EQ(record_of(linux_v4(), w).mss, 536);
    EXPECT_EQ(record_of(linux_v6(), w).mss, 1220);
    w.socket.most_mss = 9000;
    EXPECT_EQ(record_of(linux_v4(), w).mss, 1460);
}

} // namespace
} // namespace vestibule::test
