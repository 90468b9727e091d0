// RFC 9293 sections 3.10.7.1 and 3.10.7.2: a segment arrives, and the state is CLOSED or LISTEN. Every check in its
// order.
//
// Not the adaptor's:
//   3.10.7.1         the reset that answers a segment to a closed port - the stack's: what it needs for it passes
//                    unchanged
//   3.10.7.2 second  the reset that answers an ACK which completes nothing - the same
//   3.10.7.2 third   security/compartment - Linux has none in TCP
//   3.10.7.2 third   queueing of text that came with the SYN - not acknowledged: the peer sends it again
//   3.8.1, 3.8.3     repeating the SYN-ACK, giving it up (MUST-23) - nothing is kept: a peer that heard none asks again
//   3.9.1            OPEN, LISTEN, CLOSE and the other calls - the stack's; the listener is looked up each time
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

constexpr u8 syn_and_ack = wire::syn | wire::ack;

bool holds(u32 flags, u32 wanted) {
    return (flags & wanted) == wanted;
}

world closed() {
    world w;
    w.socket.state = socket_state::absent;
    return w;
}

// Every segment with these flags, whatever else it carries: what the adaptor and then the handoff make of it.
template <class Wanted, class Expectation>
void for_all_flags(Wanted wanted, Expectation expect) {
    for (u32 flags = 0; flags < 256; ++flags)
        if (wanted(flags))
            expect(static_cast<u8>(flags));
}

void expect_passed_unchanged(const draft& d, const world& w, reason why) {
    const attempted a = w.attempt(d);
    EXPECT_EQ(a.result, passed(why)) << int{d.flags};
    EXPECT_EQ(a.reply, frame_of(d)) << int{d.flags};
}

// --- 3.10.7.1 CLOSED -------------------------------------------------------------------------------------------------

TEST(rfc9293_3_10_7_1_closed, a_syn_passes_for_the_stack_to_reset) {
    for (const draft& d : {v4(), v6(), linux_v4(), v4({.payload = bytes(10, 'x')})})
        expect_passed_unchanged(d, closed(), reason::no_listener);
    EXPECT_EQ(met_by(in_state(socket_state::absent)), passed(reason::no_listener));
}

TEST(rfc9293_3_10_7_1_closed, a_segment_without_syn_passes_for_the_stack_to_reset_or_discard) {
    for_all_flags([](u32 flags) { return !holds(flags, wire::syn) || holds(flags, syn_and_ack); },
                  [](u8 flags) { expect_passed_unchanged(v4({.flags = flags}), closed(), reason::not_an_attempt); });
}

TEST(rfc9293_3_10_7_1_closed, an_ack_passes_the_handoff_too_even_with_a_cookie_of_ours) {
    EXPECT_EQ(closed().complete(ack_of(linux_v4())).result, passed(reason::no_socket));
    EXPECT_EQ(closed().complete(v4({.acknowledgment = 1, .flags = wire::ack})).result, passed(reason::no_socket));
}

// A RST is discarded, as the RFC has it. A FIN would earn a reset there; no stack sends one with a SYN, only scanners
// do.
TEST(rfc9293_3_10_7_1_closed, a_syn_with_rst_or_fin_is_dropped_here_too) {
    EXPECT_EQ(met(v4({.flags = wire::syn | wire::rst}), closed()), dropped(reason::syn_with_rst_or_fin));
    EXPECT_EQ(met(v4({.flags = wire::syn | wire::fin}), closed()), dropped(reason::syn_with_rst_or_fin));
}

// --- 3.10.7.2 LISTEN -------------------------------------------------------------------------------------------------

TEST(rfc9293_3_10_7_2_listen, first_a_rst_is_ignored) {
    for_all_flags([](u32 flags) { return holds(flags, wire::rst) && !holds(flags, wire::syn); },
                  [](u8 flags) { expect_passed_unchanged(v4({.flags = flags}), {}, reason::not_an_attempt); });
}

TEST(rfc9293_3_10_7_2_listen, first_a_rst_that_carries_a_syn_is_dropped) {
    for_all_flags(
        [](u32 flags) { return holds(flags, wire::rst | wire::syn) && !holds(flags, wire::ack); },
        [](u8 flags) { EXPECT_EQ(met(v4({.flags = flags})), dropped(reason::syn_with_rst_or_fin)) << int{flags}; });
}

TEST(rfc9293_3_10_7_2_listen, first_a_rst_completes_nothing_even_with_a_cookie_of_ours) {
    draft ack = ack_of(linux_v4());
    for_all_flags([](u32 flags) { return holds(flags, wire::rst); },
                  [&](u8 flags) {
                      ack.flags = flags;
                      EXPECT_EQ(world{}.complete(ack).result, passed(reason::not_a_completion)) << int{flags};
                  });
}

TEST(rfc9293_3_10_7_2_listen, second_an_ack_is_never_answered_by_the_adaptor) {
    for_all_flags([](u32 flags) { return holds(flags, wire::ack); },
                  [](u8 flags) { expect_passed_unchanged(v4({.flags = flags}), {}, reason::not_an_attempt); });
    EXPECT_EQ(met(v6({.flags = wire::syn | wire::ack | wire::ece})), passed(reason::not_an_attempt));
}

TEST(rfc9293_3_10_7_2_listen, second_an_ack_without_a_cookie_of_ours_is_left_for_the_stack_to_reset) {
    EXPECT_EQ(world{}.complete(v4({.acknowledgment = 12345, .flags = wire::ack})).result, invalid);
    EXPECT_EQ(world{}.complete(v6({.acknowledgment = 12345, .flags = wire::ack})).result, invalid);
    EXPECT_EQ(world{}.complete(v4({.acknowledgment = 12345, .flags = wire::ack | wire::fin})).result, invalid);
}

TEST(rfc9293_3_10_7_2_listen, second_a_syn_with_ack_completes_nothing_even_with_a_cookie_of_ours) {
    draft ack = ack_of(linux_v4());
    ack.flags = wire::syn | wire::ack;
    EXPECT_EQ(world{}.complete(ack).result, passed(reason::not_a_completion));
}

TEST(rfc9293_3_10_7_2_listen, third_a_syn_is_answered_with_syn_and_ack) {
    for (const draft& d : {v4(), v6(), linux_v4(), linux_v6(), windows_v4()})
        EXPECT_EQ(reply_to(d).flags, wire::syn | wire::ack);
}

TEST(rfc9293_3_10_7_2_listen, third_rcv_nxt_is_acknowledged_and_iss_is_sent) {
    const attempted a = world{}.attempt(v4({.sequence = 1000}));
    const reply r = take_apart(a.reply);
    EXPECT_EQ(r.acknowledgment, 1001U);
    EXPECT_EQ(r.sequence, a.answer.isn);
}

TEST(rfc9293_3_10_7_2_listen, third_psh_urg_and_reserved_flags_beside_syn_do_not_matter) {
    for (const int flags : {+wire::psh, +wire::urg, wire::psh | wire::urg})
        EXPECT_EQ(reply_to(v4({.flags = static_cast<u8>(wire::syn | flags)})).flags, wire::syn | wire::ack);
    EXPECT_EQ(met(v4({.reserved = 0x0e})), answered);
}

TEST(rfc9293_3_10_7_2_listen, third_text_on_a_syn_is_not_acknowledged_and_not_sent_back) {
    const reply r = reply_to(v4({.sequence = 100, .payload = bytes(500, 'x')}));
    EXPECT_EQ(r.acknowledgment, 101U);
    EXPECT_TRUE(r.lengths_agree);
}

TEST(rfc9293_3_10_7_2_listen, third_a_syn_with_fin_is_dropped_as_linux_does) {
    EXPECT_EQ(met(v4({.flags = wire::syn | wire::fin})), dropped(reason::syn_with_rst_or_fin));
    EXPECT_EQ(met(v6({.flags = wire::syn | wire::fin | wire::psh | wire::urg})), dropped(reason::syn_with_rst_or_fin));
}

TEST(rfc9293_3_10_7_2_listen, third_a_remote_end_left_open_is_filled_in) {
    const world w;
    const established one = w.complete(ack_of(v4({.from_port = 1}), w)).record;
    const established two = w.complete(ack_of(v4({.source = ip("203.0.113.9"), .from_port = 2}), w)).record;
    EXPECT_EQ(host(one.peer_port), 1);
    EXPECT_EQ(host(two.peer_port), 2);
    EXPECT_TRUE(same(two.peer, ip("203.0.113.9")));
}

TEST(rfc9293_3_10_7_2_listen, fourth_anything_else_is_left_for_the_stack_to_drop) {
    for_all_flags([](u32 flags) { return (flags & (wire::syn | wire::rst | wire::ack)) == 0; },
                  [](u8 flags) {
                      expect_passed_unchanged(v4({.flags = flags}), {}, reason::not_an_attempt);
                      EXPECT_EQ(world{}.complete(v4({.flags = flags})).result, passed(reason::not_a_completion));
                  });
}

} // namespace
} // namespace vestibule::test
