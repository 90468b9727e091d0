// RFC 7323 section 2: the window scale - as a peer offers it, as we promise it, and as the host gets both.
//
// Not the adaptor's:
//   2.3  logging a shift over 14 - a peer could fill the log with them
//   2.3  choosing our own shift - rehearsed (answer.cpp)
//   2.4  shrinking and probing windows - the stack's
#include "control/succession.hpp"
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

world promising(u8 shift) {
    world w;
    for (promise* p : {&w.v4_answer.with_timestamps, &w.v4_answer.without_timestamps})
        p->shift = p->former_shift = shift;
    return w;
}

// The same world after a rehearsal that found `shift`, with `ms` of grace for what was promised before.
world changed(world w, u8 shift, u64 ms) {
    answer found = w.v4_answer;
    found.with_timestamps.shift = found.without_timestamps.shift = shift;
    w.v4_answer = succeed(found, w.v4_answer, w.now_ms);
    w.v4_answer.former_until_ms = w.now_ms + ms;
    return w;
}

// --- 2.2 The option --------------------------------------------------------------------------------------------------

TEST(rfc7323_2_2, the_option_counts_only_with_its_own_length) {
    EXPECT_EQ(kinds_of(opt::option(3, {})), 0U);
    EXPECT_EQ(kinds_of(opt::option(3, {7, 7})), 0U);
    EXPECT_EQ(kinds_of(opt::scale(0)), offers_window_scale);
}

TEST(rfc7323_2_2, it_is_said_only_to_a_peer_that_said_it) {
    EXPECT_EQ(options_to(opt::scale(3)), join({opt::mss(1460), opt::nop(), opt::scale(7)}));
    EXPECT_EQ(options_to({}), opt::mss(1460));
}

TEST(rfc7323_2_2, a_shift_of_0_is_an_offer_and_a_promise_like_any_other) {
    const established peers = record_of(v4({.options = opt::scale(0)}));
    EXPECT_EQ(peers.window_scale, 1);
    EXPECT_EQ(peers.peer_shift, 0);
    EXPECT_EQ(peers.local_shift, 7);
    EXPECT_EQ(options_to(opt::scale(3), promising(0)), join({opt::mss(1460), opt::nop(), opt::scale(0)}));
    const established ours = record_of(linux_v4(), promising(0));
    EXPECT_EQ(ours.window_scale, 1);
    EXPECT_EQ(ours.local_shift, 0);
}

TEST(rfc7323_2_2, in_a_segment_without_syn_it_is_ignored) {
    draft ack = ack_of(windows_v4());
    ack.options = opt::scale(1);
    EXPECT_EQ(world{}.complete(ack).record.peer_shift, 8);
    draft plain = ack_of(v4());
    plain.options = opt::scale(1);
    EXPECT_EQ(world{}.complete(plain).record.window_scale, 0);
}

TEST(rfc7323_2_2, the_window_of_a_syn_ack_is_the_rehearsed_one_and_not_scaled) {
    EXPECT_EQ(reply_to(v4({.options = opt::linux_syn()})).window, 65160U);
    EXPECT_EQ(reply_to(v4({.options = opt::windows_syn()})).window, 64240U);
    EXPECT_EQ(reply_to(v4()).window, 64240U);
}

// --- 2.3 Using it ----------------------------------------------------------------------------------------------------

TEST(rfc7323_2_3, a_shift_over_14_is_14) {
    EXPECT_EQ(offer_of(opt::scale(13)).shift, 13U);
    EXPECT_EQ(offer_of(opt::scale(14)).shift, 14U);
    EXPECT_EQ(offer_of(opt::scale(15)).shift, 14U);
    EXPECT_EQ(offer_of(opt::scale(255)).shift, 14U);
    EXPECT_EQ(
        offer_of(join({opt::mss(1460), opt::sack_permitted(), opt::timestamps(1), opt::nop(), opt::scale(99)})).shift,
        14U);
    EXPECT_EQ(record_of(v4({.options = opt::scale(15)})).peer_shift, 14);
}

TEST(rfc7323_2_3, every_shift_is_handed_over_as_it_was_offered) {
    for (u8 shift = 0; shift <= 14; ++shift)
        EXPECT_EQ(record_of(v4({.options = opt::scale(shift)})).peer_shift, shift);
}

TEST(rfc7323_2_3, the_shift_that_was_promised_is_the_one_handed_over) {
    for (u8 shift = 0; shift <= 14; ++shift)
        EXPECT_EQ(record_of(linux_v4(), promising(shift)).local_shift, shift);
}

TEST(rfc7323_2_3, without_an_offer_or_without_the_hosts_consent_both_shifts_are_0) {
    for (const established& e :
         {record_of(v4({.options = opt::mss(1460)})), record_of(linux_v4(), allowing(allows_sack))}) {
        EXPECT_EQ(e.window_scale, 0);
        EXPECT_EQ(e.peer_shift, 0);
        EXPECT_EQ(e.local_shift, 0);
    }
}

// --- A promise that changes ------------------------------------------------------------------------------------------

// To the very last millisecond: it may have been made in the one before it changed, and a handshake may take 60 s.
TEST(rfc7323_2_3, a_former_promise_is_kept_until_its_time_is_over) {
    const world before = promising(7);
    const draft ack = ack_of(linux_v4(), before);
    const draft unstamped = ack_of(windows_v4(), before);
    world now = changed(before, 3, 0);
    const completed in_time = now.complete(ack);
    EXPECT_EQ(in_time.result, admitted);
    EXPECT_EQ(in_time.record.local_shift, 7);
    EXPECT_EQ(now.complete(unstamped).record.local_shift, 7);
    ++now.now_ms;
    EXPECT_EQ(now.complete(ack).result, lost);
    EXPECT_EQ(now.complete(unstamped).result, invalid);
}

// The stack may promise peers with and without timestamps different scales, and change either.
TEST(rfc7323_2_3, each_promise_has_its_own_former_one) {
    world w = promising(7);
    w.v4_answer.without_timestamps.shift = 4;
    const draft stamped = ack_of(linux_v4(), w);
    const draft unstamped = ack_of(windows_v4(), w);
    answer found = w.v4_answer;
    found.with_timestamps.shift = 3;
    found.without_timestamps.shift = 9;
    w.v4_answer = succeed(found, w.v4_answer, w.now_ms);
    EXPECT_EQ(w.complete(stamped).record.local_shift, 7);
    EXPECT_EQ(w.complete(unstamped).record.local_shift, 4);
    EXPECT_EQ(record_of(linux_v4(), w).local_shift, 3);
    EXPECT_EQ(record_of(windows_v4(), w).local_shift, 9);
}

TEST(rfc7323_2_3, a_former_promise_outlives_answers_that_leave_it_alone_or_are_not_served) {
    world w = changed(promising(7), 3, 1000);
    const draft of_before = ack_of(linux_v4(), promising(7));
    w.v4_answer = succeed(w.v4_answer, w.v4_answer, w.now_ms + 1000);
    EXPECT_EQ(w.complete(of_before).record.local_shift, 7);
    const answer none{};
    w.v4_answer = succeed(promising(3).v4_answer, succeed(none, w.v4_answer, w.now_ms), w.now_ms);
    EXPECT_EQ(w.v4_answer.with_timestamps.former_shift, 3);
    EXPECT_GT(w.v4_answer.former_until_ms, w.now_ms);
}

// Else a change of the one promise would bring back what the other was long ago.
TEST(rfc7323_2_3, a_former_promise_is_forgotten_when_its_time_is_over) {
    world w = changed(promising(7), 3, 1000);
    answer found = w.v4_answer;
    found.without_timestamps.shift = 5;
    w.v4_answer = succeed(found, w.v4_answer, w.now_ms + 1001);
    EXPECT_EQ(w.v4_answer.with_timestamps.former_shift, 3);
    EXPECT_EQ(w.v4_answer.without_timestamps.former_shift, 3);
}

TEST(rfc7323_2_3, a_new_promise_holds_at_once) {
    const world now = changed(promising(7), 3, 1000);
    EXPECT_EQ(record_of(linux_v4(), now).local_shift, 3);
}

TEST(rfc7323_2_3, a_promise_that_was_never_made_is_not_kept) {
    EXPECT_EQ(changed(promising(7), 3, 1000).complete(ack_of(windows_v4(), promising(5))).result, invalid);
}

TEST(rfc7323_2_3, without_window_scaling_a_changed_shift_breaks_nothing) {
    const draft plain = v4({.options = opt::mss(1460)});
    const world before = promising(7);
    const completed c = changed(before, 3, 0).complete(ack_of(plain, before));
    EXPECT_EQ(c.result, admitted);
    EXPECT_EQ(c.record.local_shift, 0);
    EXPECT_EQ(c.record.peer_shift, 0);
    EXPECT_EQ(c.record.window_scale, 0);
}

} // namespace
} // namespace vestibule::test
