// RFC 9768 section 3.1: accurate ECN, as far as a handshake goes. An established record cannot express it, so where the
// host negotiates it, the handshake is the stack's.
//
// Not the adaptor's:
//   3.1.1     what a SYN-ACK of AccECN says - the stack's
//   3.1.4     retransmitted SYNs and SYN-ACKs - nothing is kept: each SYN is judged for itself
//   3.2, 3.3  feedback on data, the option - the stack's
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

// A SYN with these three flags, the way the RFC writes them: AE, CWR, ECE.
draft with_ace(u32 ace, draft d = v4()) {
    d.reserved = ace >> 2 & 1;
    d.flags = static_cast<u8>(wire::syn | ((ace & 2) != 0 ? wire::cwr : 0) | ((ace & 1) != 0 ? wire::ece : 0));
    return d;
}

constexpr u32 nothing_offered = 0b000;
constexpr u32 classic = 0b011;
constexpr u32 accurate = 0b111;

world without_accecn() {
    world w;
    w.v4_answer.classic_ecn_for_accecn = w.v6_answer.classic_ecn_for_accecn = 1;
    return w;
}

TEST(rfc9768_3_1_1, an_offer_is_the_stacks_where_the_host_negotiates_it) {
    EXPECT_EQ(met(with_ace(accurate)), passed(reason::syn_accecn));
    EXPECT_EQ(met(with_ace(accurate, v6())), passed(reason::syn_accecn));
}

TEST(rfc9768_3_1_1, no_offer_and_a_classic_one_are_answered_here) {
    EXPECT_EQ(reply_to(with_ace(nothing_offered)).flags, wire::syn | wire::ack);
    EXPECT_EQ(reply_to(with_ace(classic)).flags, wire::syn | wire::ack | wire::ece);
}

// Forward compatibility: what is neither 000 nor 011 is to be taken as if it were 111.
TEST(rfc9768_3_1_2, every_other_combination_is_an_offer_too) {
    for (u32 ace = 0; ace < 8; ++ace) {
        const bool is_offer = ace != nothing_offered && ace != classic;
        EXPECT_EQ(met(with_ace(ace)), is_offer ? passed(reason::syn_accecn) : answered) << ace;
    }
}

TEST(rfc9768_3_1_2, an_offer_falls_back_to_classic_ecn_where_the_host_does) {
    const reply r = reply_to(with_ace(accurate), without_accecn());
    EXPECT_EQ(r.flags, wire::syn | wire::ack | wire::ece);
    EXPECT_EQ(record_of(with_ace(accurate), without_accecn()).ecn, 1);
}

TEST(rfc9768_3_1_2, to_such_a_host_every_other_combination_offers_nothing) {
    for (const u32 ace : {0b001U, 0b010U, 0b100U, 0b101U, 0b110U})
        EXPECT_EQ(reply_to(with_ace(ace), without_accecn()).flags, wire::syn | wire::ack) << ace;
}

TEST(rfc9768_3_1_2, ae_is_never_reflected) {
    for (u32 ace = 0; ace < 8; ++ace)
        EXPECT_EQ(reply_to(with_ace(ace), without_accecn()).reserved, 0U) << ace;
}

TEST(rfc9768_3_1_2, a_listener_on_whom_more_is_asked_is_not_reached_by_an_offer) {
    world w;
    w.socket.queue_full = true; // the stack's to drop
    EXPECT_EQ(met(with_ace(accurate), w), passed(reason::syn_accecn));
}

} // namespace
} // namespace vestibule::test
