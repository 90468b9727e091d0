// RFC 3168 section 6.1.1: ECN, as far as a handshake goes.
//
// Not the adaptor's:
//   6.1.2 to 6.1.5  ECT, CE, ECE and CWR on data, windows halved - the stack's
//   6.1.1.1         falling back after a lost ECN-setup SYN - the peer's: it then sends one without
//   20              what middleboxes do to the bits - theirs
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

constexpr u8 ecn_setup = wire::syn | wire::ece | wire::cwr;

bool answers_ecn(const draft& d, const world& w = {}) {
    const attempted a = w.attempt(d);
    EXPECT_EQ(a.result, answered);
    return a.answer.ecn;
}

TEST(rfc3168_5, the_codepoint_is_the_low_two_bits_of_the_class) {
    for (u8 codepoint = 0; codepoint < 4; ++codepoint)
        for (const draft& d : {v4(), v6()}) {
            draft marked = d;
            marked.traffic_class = static_cast<u8>(0xfc | codepoint);
            EXPECT_EQ(read(frame_of(marked)).s.ecn, codepoint);
        }
}

TEST(rfc3168_6_1_1, ecn_is_agreed_to_on_ece_with_cwr_only) {
    EXPECT_TRUE(answers_ecn(v4({.flags = ecn_setup})));
    EXPECT_TRUE(answers_ecn(v6({.flags = ecn_setup})));
    world w; // where AccECN is not known: rfc9768.cpp
    w.v4_answer.classic_ecn_for_accecn = 1;
    EXPECT_FALSE(answers_ecn(v4({.flags = wire::syn | wire::ece}), w));
    EXPECT_FALSE(answers_ecn(v4({.flags = wire::syn | wire::cwr}), w));
    EXPECT_FALSE(answers_ecn(v4(), w));
}

TEST(rfc3168_6_1_1, an_ecn_capable_syn_gets_no_ecn) {
    for (u8 codepoint = 1; codepoint < 4; ++codepoint) {
        EXPECT_FALSE(answers_ecn(v4({.traffic_class = codepoint, .flags = ecn_setup}))) << int{codepoint};
        EXPECT_FALSE(answers_ecn(v6({.traffic_class = codepoint, .flags = ecn_setup}))) << int{codepoint};
    }
}

// RFC 8257 section 3: DCTCP marks all its packets, and a listener that runs it takes ECN from such peers.
TEST(rfc3168_6_1_1, but_where_the_host_agrees_nevertheless_it_does) {
    world w;
    w.v4_answer.ecn_despite_ect = 1;
    for (u8 codepoint = 0; codepoint < 4; ++codepoint) {
        EXPECT_TRUE(answers_ecn(v4({.traffic_class = codepoint, .flags = ecn_setup}), w)) << int{codepoint};
        EXPECT_FALSE(answers_ecn(v4({.traffic_class = codepoint}), w)) << int{codepoint};
    }
}

// As the kernel has it (tcp_ecn_create_request): such a SYN shows in bits that are reserved here.
TEST(rfc3168_6_1_1, but_a_syn_of_a_later_standard_may_be_ecn_capable) {
    world w;
    w.v4_answer.classic_ecn_for_accecn = 1;
    for (u8 reserved = 1; reserved < 16; ++reserved)
        for (u8 codepoint = 0; codepoint < 4; ++codepoint)
            EXPECT_TRUE(answers_ecn(v4({.traffic_class = codepoint, .flags = ecn_setup, .reserved = reserved}), w))
                << int{reserved} << ' ' << int{codepoint};
}

TEST(rfc3168_6_1_1, no_ecn_where_the_host_would_not) {
    world w;
    w.v4_answer.without_timestamps.allows = allows_all & ~allows_ecn;
    EXPECT_FALSE(answers_ecn(v4({.flags = ecn_setup}), w));
}

// Never CWR: a peer would take flags sent back for a broken stack that reflects them.
TEST(rfc3168_6_1_1, the_syn_ack_says_ece_and_not_cwr_and_is_not_ecn_capable_itself) {
    world w;
    w.v4_answer.traffic_class = 0xb8;
    const reply r = reply_to(v4({.flags = ecn_setup}), w);
    EXPECT_EQ(r.flags, wire::syn | wire::ack | wire::ece);
    EXPECT_EQ(r.traffic_class, 0xb8U);
    EXPECT_EQ(reply_to(v6({.flags = ecn_setup})).flags, wire::syn | wire::ack | wire::ece);
}

TEST(rfc3168_6_1_1, without_agreement_the_syn_ack_says_nothing) {
    EXPECT_EQ(reply_to(v4({.traffic_class = 2, .flags = ecn_setup})).flags, wire::syn | wire::ack);
    EXPECT_EQ(reply_to(v4({.flags = ecn_setup}), allowing(0)).flags, wire::syn | wire::ack);
}

TEST(rfc3168_6_1_1, the_record_has_what_was_agreed_on) {
    EXPECT_EQ(record_of(v4({.flags = ecn_setup})).ecn, 1);
    EXPECT_EQ(record_of(v4()).ecn, 0);
    EXPECT_EQ(record_of(v4({.traffic_class = 1, .flags = ecn_setup})).ecn, 0);
}

// Section 6.1.2: from the completing segment on a peer may send ECT, and routers may mark it.
TEST(rfc3168_6_1_2, codepoints_and_flags_of_the_completing_segment_change_nothing) {
    draft ack = ack_of(v4({.flags = ecn_setup}));
    for (u8 codepoint = 0; codepoint < 4; ++codepoint) {
        ack.traffic_class = codepoint;
        ack.flags = wire::ack | wire::ece | wire::cwr;
        EXPECT_EQ(world{}.complete(ack).record.ecn, 1);
    }
}

} // namespace
} // namespace vestibule::test
