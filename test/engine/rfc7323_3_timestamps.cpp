// RFC 7323 sections 3 to 5: timestamps - the option, the round trip, and the age of a handshake. The clock:
// rfc7323_5_4_clock.cpp.
//
// Not the adaptor's:
//   3.2  a timestamp in every later segment - the stack's
//   3.2  dropping segments without one - the cookie cannot say that there was one: such a segment completes without them
//   4.2  which round trips to measure - the stack's; what it needs for the first is in the record
//   4.3  which timestamp to echo - the stack's; TS.Recent is in the record
//   5.3  PAWS on what arrives - the stack's; nothing is kept of the SYN's timestamp
//   5.5  outdated timestamps - the stack's
//   5.8  duplicates from earlier connections - TIME-WAIT is the stack's; older than its key no cookie holds
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

// The timestamp in a reply's options, which stands there for linux_syn() and for timestamps alone.
u32 timestamp_in(const reply& r) {
    return four_at(r.options, 8);
}

u32 clock_for(const draft& d, const world& w) {
    return timestamp_clock(w.keys.clock, read(frame_of(d)).s, w.now_ms);
}

world promising_differently_by_class() {
    world w;
    w.v4_answer.with_timestamps.shift = 7;
    w.v4_answer.without_timestamps.shift = 8;
    return w;
}

// --- 3.2 The option --------------------------------------------------------------------------------------------------

TEST(rfc7323_3_2, the_option_counts_only_with_its_own_length) {
    EXPECT_EQ(kinds_of(opt::option(8, bytes(7, 1))), 0U);
    EXPECT_EQ(kinds_of(opt::option(8, bytes(9, 1))), 0U);
    const offer o = offer_of(opt::timestamps(0, 0x55667788));
    EXPECT_EQ(o.kinds, offers_timestamps);
    EXPECT_EQ(o.timestamp_echo, 0x55667788U);
}

TEST(rfc7323_3_2, it_is_said_only_to_a_peer_that_said_it) {
    EXPECT_EQ(options_to(opt::timestamps(1)).size(), 16U);
    EXPECT_EQ(options_to({}).size(), 4U);
    EXPECT_EQ(options_to(opt::timestamps(1), allowing(allows_sack)).size(), 4U);
}

TEST(rfc7323_3_2, tsecr_is_the_peers_tsval_and_tsval_our_clock) {
    world w;
    const draft d = v4({.options = opt::timestamps(0xdeadbeef)});
    const reply first = reply_to(d, w);
    EXPECT_EQ(timestamp_in(first), clock_for(d, w));
    EXPECT_EQ(four_at(first.options, 12), 0xdeadbeefU);
    w.now_ms += 1234;
    EXPECT_EQ(timestamp_in(reply_to(d, w)) - timestamp_in(first), 1234U);
}

TEST(rfc7323_3_2, an_echo_on_a_syn_means_nothing) {
    const reply r = reply_to(v4({.options = opt::timestamps(7, 0xdeadbeef)}));
    EXPECT_EQ(four_at(r.options, 12), 7U);
}

TEST(rfc7323_3_2, a_tsval_of_0_is_an_offer_like_any_other) {
    EXPECT_EQ(four_at(options_to(opt::timestamps(0)), 12), 0U);
    EXPECT_EQ(record_of(v4({.options = opt::timestamps(0)})).timestamps, 1);
}

// A middlebox may strip them. The connection is what its segments say, as it is with the kernel's own cookies.
TEST(rfc7323_3_2, an_ack_that_lost_its_timestamps_completes_without_them) {
    draft ack = ack_of(linux_v4());
    ack.options = {};
    const completed c = world{}.complete(ack);
    EXPECT_EQ(c.result, admitted);
    EXPECT_EQ(c.record.timestamps, 0);
    EXPECT_EQ(c.record.timestamp_now, 0U);
    EXPECT_EQ(c.record.peer_timestamp, 0U);
}

TEST(rfc7323_3_2, but_not_where_another_window_scale_was_promised_with_them) {
    const world w = promising_differently_by_class();
    draft ack = ack_of(linux_v4(), w);
    ack.options = {};
    EXPECT_EQ(w.complete(ack).result, invalid);
}

TEST(rfc7323_3_2, timestamps_that_were_not_agreed_on_prove_no_handshake) {
    draft ack = ack_of(windows_v4());
    ack.options = opt::stamped(1, 1);
    EXPECT_EQ(world{}.complete(ack).result, invalid);
}

TEST(rfc7323_3_2, timestamps_to_a_host_that_takes_none_are_ignored) {
    const world w = allowing(allows_sack | allows_window_scale);
    draft ack = ack_of(linux_v4(), w);
    ack.options = opt::stamped(1, 0xdeadbeef);
    const completed c = w.complete(ack);
    EXPECT_EQ(c.result, admitted);
    EXPECT_EQ(c.record.timestamps, 0);
}

// --- 4 The round trip ------------------------------------------------------------------------------------------------

// The stack's first sample is its clock minus the echo: timestamp_now is that clock, not the echo.
TEST(rfc7323_4_1, the_record_has_the_clock_of_the_moment_so_that_the_round_trip_time_is_true) {
    world w;
    const handshake h(linux_v4(), w);
    w.now_ms += 301;
    const established e = w.complete(h.ack()).record;
    EXPECT_EQ(e.timestamp_now - h.answer.timestamp, 301U);
}

TEST(rfc7323_4_3, ts_recent_is_the_tsval_of_the_completing_segment) {
    EXPECT_EQ(record_of(linux_v4()).peer_timestamp, 0x11223399U);
}

// --- 5 How old a handshake may be ------------------------------------------------------------------------------------

outcome at_age(const draft& syn, u64 age_ms) {
    world w;
    const draft ack = ack_of(syn, w);
    w.now_ms += age_ms;
    return w.complete(ack).result;
}

TEST(rfc7323_5_2, an_age_from_0_to_60_seconds_is_admitted) {
    for (const u64 age : {0, 1, 300, 59'999, 60'000})
        EXPECT_EQ(at_age(linux_v4(), age), admitted) << age;
}

TEST(rfc7323_5_2, over_60_seconds_is_too_old) {
    for (const u64 age : {60'001ULL, 61'000ULL, 3'600'000ULL, (1ULL << 32) - 1})
        EXPECT_EQ(at_age(linux_v4(), age), invalid) << age;
}

TEST(rfc7323_5_2, a_timestamp_from_the_future_was_never_ours) {
    const world w;
    draft ack = ack_of(linux_v4(), w);
    ack.options = opt::stamped(1, handshake(linux_v4(), w).answer.timestamp + 1);
    EXPECT_EQ(w.complete(ack).result, invalid);
}

TEST(rfc7323_5_2, age_holds_across_the_wrap_of_the_clock) {
    world w;
    const u32 offset = timestamp_clock(w.keys.clock, read(frame_of(linux_v4())).s, 0);
    w.now_ms = (1ULL << 32) - offset - 1; // the clock for this pair stands at its last tick
    const handshake h(linux_v4(), w);
    ASSERT_EQ(h.answer.timestamp, 0xffffffffU);
    w.now_ms += 500;
    EXPECT_EQ(w.complete(h.ack()).result, admitted);
}

TEST(rfc7323_5_2, without_timestamps_only_the_keys_bound_it) {
    EXPECT_EQ(at_age(windows_v4(), 60'001), admitted);
}

TEST(rfc7323_5_2, an_echo_of_nothing_tells_no_age_and_is_taken_as_the_kernel_takes_it) {
    world w;
    draft ack = ack_of(linux_v4(), w);
    ack.options = opt::stamped(1, 0);
    w.now_ms += 60'001;
    const completed c = w.complete(ack);
    EXPECT_EQ(c.result, admitted);
    EXPECT_EQ(c.record.timestamps, 1);
    ack.acknowledgment += 1;
    EXPECT_EQ(w.complete(ack).result, invalid);
}

TEST(rfc7323_5_2, a_bad_cookie_with_a_young_echo_is_a_handshake_whose_first_segments_were_lost) {
    const world w;
    draft ack = ack_of(linux_v4(), w);
    ack.sequence += 1448;
    ack.payload = bytes(1000, 'x');
    EXPECT_EQ(w.complete(ack).result, lost);
    world later = w;
    later.now_ms += 60'000;
    EXPECT_EQ(later.complete(ack).result, lost);
    later.now_ms += 1;
    EXPECT_EQ(later.complete(ack).result, invalid);
}

TEST(rfc7323_5_2, without_timestamps_nothing_tells_lost_segments_from_stray_ones) {
    draft ack = ack_of(windows_v4());
    ack.sequence += 1460;
    EXPECT_EQ(world{}.complete(ack).result, invalid);
}

} // namespace
} // namespace vestibule::test
