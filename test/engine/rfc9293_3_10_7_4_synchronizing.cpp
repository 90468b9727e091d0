// RFC 9293 sections 3.10.7.3 and 3.10.7.4: SYN-SENT, and the states behind it. Where the host has the connection they
// are the stack's. What is judged here is SYN-RECEIVED, by one who kept nothing: all checks of the clause are one, the
// cookie's.
//
// Not the adaptor's:
//   3.10.7.4 first   segments of connections, windows, challenge ACKs - the stack's
//   3.10.7.4 second  RST in SYN-RECEIVED: return to LISTEN - nothing is kept: it never left
//   3.10.7.4 sixth   the urgent pointer - the stack's, with the segment handed over
//   3.10.7.4 eighth  FIN - the same
//   3.10.8           time-outs - a cookie's age is its time-out
//   5961 3, 4, 7     challenge ACKs and how many - the stack's
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

// The host knows the 4-tuple of v4(): SYN-SENT, synchronized, or TIME-WAIT.
imagined_host knowing(const world& w) {
    imagined_host h = w.host_side();
    h.connections.push_back({ip("198.51.100.7"), network(u16{40000}), ip("192.0.2.1"), network(u16{80})});
    return h;
}

outcome met_by_one_who_knows(const draft& d, const world& w = {}) {
    return attempt(frame_of(d), knowing(w), w.moment()).result;
}

// --- 3.10.7.3 SYN-SENT: connections that the host itself opens -------------------------------------------------------

TEST(rfc9293_3_10_7_3_syn_sent, first_and_fourth_a_syn_ack_is_the_stacks) {
    for (const int more : {0, +wire::ece, +wire::rst, wire::ece | wire::cwr, +wire::fin}) {
        const draft d = v4({.flags = static_cast<u8>(wire::syn | wire::ack | more)});
        EXPECT_EQ(met(d), passed(reason::not_an_attempt)) << more;
        EXPECT_EQ(met_by_one_who_knows(d), passed(reason::not_an_attempt)) << more;
        EXPECT_EQ(complete(frame_of(d), knowing({}), world{}.moment()).result, passed(reason::not_a_completion))
            << more;
    }
}

TEST(rfc9293_3_10_7_3_syn_sent, second_a_rst_is_the_stacks) {
    EXPECT_EQ(met_by_one_who_knows(v4({.flags = wire::rst | wire::ack})), passed(reason::not_an_attempt));
}

// Section 3.5, MUST-10: simultaneous attempts.
TEST(rfc9293_3_10_7_3_syn_sent, fourth_a_syn_that_crosses_our_own_is_the_stacks) {
    EXPECT_EQ(met_by_one_who_knows(v4()), passed(reason::existing_connection));
}

// --- 3.10.7.4, where the host has the connection ---------------------------------------------------------------------

TEST(rfc9293_3_10_7_4, fourth_a_syn_on_a_known_4_tuple_is_the_stacks_to_challenge_or_reopen) {
    EXPECT_EQ(met_by_one_who_knows(v4()), passed(reason::existing_connection));
    EXPECT_EQ(met_by_one_who_knows(v4({.from_port = 40001})), answered);
    EXPECT_EQ(met_by_one_who_knows(v4({.source = ip("198.51.100.8")})), answered);
}

TEST(rfc9293_3_10_7_4, segments_of_a_known_connection_are_not_judged) {
    EXPECT_EQ(complete(frame_of(ack_of(linux_v4())), knowing({}), world{}.moment()).result,
              passed(reason::known_connection));
}

// --- 3.10.7.4 SYN-RECEIVED -------------------------------------------------------------------------------------------

TEST(rfc9293_3_10_7_4_syn_received, first_the_sequence_number_must_be_exactly_rcv_nxt) {
    const world w;
    const draft good = ack_of(windows_v4(), w);
    for (const u32 off : {1U, 0xffffffffU, 1U << 16, 1U << 31}) {
        draft ack = good;
        ack.sequence += off;
        EXPECT_EQ(w.complete(ack).result, invalid) << off;
    }
}

// A duplicate of the SYN has a sequence number that is not acceptable; what it asks for is the SYN-ACK that was lost.
TEST(rfc9293_3_10_7_4_syn_received, first_the_syn_again_is_answered_again) {
    const world w;
    EXPECT_EQ(w.attempt(linux_v4()).reply, w.attempt(linux_v4()).reply);
}

TEST(rfc9293_3_10_7_4_syn_received, second_a_rst_passes_and_undoes_nothing_that_is_kept) {
    const world w;
    draft rst = ack_of(linux_v4(), w);
    rst.flags = wire::rst;
    EXPECT_EQ(met(rst, w), passed(reason::not_an_attempt));
    EXPECT_EQ(w.complete(rst).result, passed(reason::not_a_completion));
}

// Where the TCB would go back to LISTEN and be made anew, there is none: each SYN has its own answer.
TEST(rfc9293_3_10_7_4_syn_received, fourth_another_syn_on_the_4_tuple_is_answered_for_itself) {
    const world w;
    const handshake first(v4({.sequence = 1}), w);
    const handshake second(v4({.sequence = 2}), w);
    EXPECT_NE(first.answer.isn, second.answer.isn);
    EXPECT_EQ(w.complete(second.ack()).result, admitted);
    draft crossed = second.ack();
    crossed.acknowledgment = first.answer.isn + 1;
    EXPECT_EQ(w.complete(crossed).result, invalid);
}

TEST(rfc9293_3_10_7_4_syn_received, fifth_without_ack_or_with_syn_or_rst_nothing_completes) {
    const world w;
    draft ack = ack_of(linux_v4(), w);
    for (u32 flags = 0; flags < 256; ++flags) {
        ack.flags = static_cast<u8>(flags);
        const bool completes = (flags & (wire::ack | wire::syn | wire::rst)) == wire::ack;
        const outcome expected = completes ? admitted : passed(reason::not_a_completion);
        EXPECT_EQ(w.complete(ack).result, expected) << flags;
        established e{};
        const read_frame r = read(frame_of(ack));
        const imagined_host h = w.host_side();
        EXPECT_EQ(judge_completion(r.s, r.o, w.socket, w.moment(), h, e), expected) << flags;
    }
}

TEST(rfc9293_3_10_7_4_syn_received, fifth_an_ack_of_our_iss_is_admitted) {
    for (const draft& d : {linux_v4(), linux_v6(), windows_v4(), v4(), v6()})
        EXPECT_EQ(after(d), admitted);
}

TEST(rfc9293_3_10_7_4_syn_received, fifth_the_acknowledgment_must_be_exactly_snd_nxt) {
    const world w;
    const draft good = ack_of(windows_v4(), w);
    for (const u32 off : {1U, 0xffffffffU, 1U << 9, 1U << 16, 1U << 31}) {
        draft ack = good;
        ack.acknowledgment += off;
        EXPECT_EQ(w.complete(ack).result, invalid) << off;
    }
}

TEST(rfc9293_3_10_7_4_syn_received, sixth_seventh_and_eighth_urg_text_and_fin_may_come_with_it) {
    const world w;
    draft ack = ack_of(linux_v4(), w);
    for (const u8 flags : {wire::psh, wire::urg, wire::fin, wire::ece}) {
        ack.flags = static_cast<u8>(wire::ack | flags);
        ack.payload = bytes(100, 'x');
        EXPECT_EQ(w.complete(ack).result, admitted) << int{flags};
    }
}

} // namespace
} // namespace vestibule::test
