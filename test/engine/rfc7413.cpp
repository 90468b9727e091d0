// RFC 7413: TCP Fast Open. Its cookies are the stack's, so an attempt that offers it to a listener that takes it is,
// too.
//
// Not the adaptor's:
//   4.1.2         cookies made and checked - the stack's
//   4.2           text on a SYN accepted, RST rules - the stack's
//   4.1.3, 4.3.1  what a client caches - the peer's
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

outcome met_by_one_that_takes_it(const bytes& options, const bytes& payload = {}) {
    return met_by(listening(&listener::fast_open), v4({.options = options, .payload = payload}));
}

// --- 4.1.1 The option ------------------------------------------------------------------------------------------------

TEST(rfc7413_4_1_1, a_request_and_a_cookie_of_any_length_are_seen) {
    EXPECT_EQ(kinds_of(opt::fast_open_request()), offers_fast_open);
    for (std::size_t length = 4; length <= 16; length += 2)
        EXPECT_EQ(kinds_of(opt::option(34, bytes(length, 0xcc))), offers_fast_open) << length;
}

// The stack ignores them; it is the one to say so.
TEST(rfc7413_4_1_1, lengths_that_are_no_cookies_are_seen_all_the_same) {
    for (const std::size_t length : {1, 2, 3, 5, 17, 18})
        EXPECT_EQ(met_by_one_that_takes_it(opt::option(34, bytes(length, 0xcc))), passed(reason::syn_fast_open));
}

TEST(rfc7413_4_1_1, without_syn_it_is_ignored) {
    draft ack = ack_of(v4());
    ack.options = opt::fast_open_cookie();
    EXPECT_EQ(world{}.complete(ack).result, admitted);
}

// Section 9: implementations older than the RFC use the shared experimental kind (RFC 6994).
TEST(rfc7413_9, the_experimental_form_is_seen_and_other_experiments_are_not) {
    EXPECT_EQ(kinds_of(opt::fast_open_experiment()), offers_fast_open);
    EXPECT_EQ(kinds_of(opt::option(254, join({two(0xf989), bytes(8, 0xcc)}))), offers_fast_open);
    EXPECT_EQ(kinds_of(opt::option(254, two(0xe2d4))), 0U);
    EXPECT_EQ(kinds_of(opt::option(254, two(0xf98a))), 0U);
    EXPECT_EQ(kinds_of(opt::option(253, two(0xf989))), 0U);
}

TEST(rfc6994_3, an_experiment_without_room_for_its_identifier_is_none) {
    EXPECT_EQ(kinds_of(opt::option(254, {0xf9})), 0U);
    EXPECT_EQ(kinds_of(join({opt::option(254, {0xf9}), {0x89, 2}})), 0U);
}

// --- 4.2 The listener ------------------------------------------------------------------------------------------------

TEST(rfc7413_4_2, it_is_the_stacks_where_the_listener_takes_it) {
    EXPECT_EQ(met_by_one_that_takes_it(opt::fast_open_request()), passed(reason::syn_fast_open));
    EXPECT_EQ(met_by_one_that_takes_it(opt::fast_open_experiment()), passed(reason::syn_fast_open));
    EXPECT_EQ(met_by_one_that_takes_it(opt::fast_open_cookie(), bytes(9, 'x')), passed(reason::syn_fast_open));
}

// The kernel has it: TCP_FASTOPEN_NO_COOKIE.
TEST(rfc7413_4_2, so_is_text_without_a_cookie_since_none_may_be_needed) {
    EXPECT_EQ(met_by_one_that_takes_it({}, bytes(1, 'x')), passed(reason::syn_fast_open));
    EXPECT_EQ(met(v4({.payload = bytes(1, 'x')})), answered);
}

TEST(rfc7413_4_2, such_a_listener_is_answered_for_where_none_is_offered) {
    EXPECT_EQ(met_by_one_that_takes_it(opt::linux_syn()), answered);
}

TEST(rfc7413_4_2, a_listener_that_does_not_take_it_ignores_it_and_text_with_it) {
    const reply r = reply_to(v4({.sequence = 9, .options = opt::fast_open_cookie(), .payload = bytes(9, 'x')}));
    EXPECT_EQ(r.acknowledgment, 10U);
    EXPECT_EQ(r.options, opt::mss(1460));
}

TEST(rfc7413_4_2, it_reaches_the_stack_though_the_accept_queue_is_full) {
    const listener full = listening(&listener::queue_full, &listener::fast_open);
    EXPECT_EQ(met_by(full, v4({.options = opt::fast_open_request()})), passed(reason::syn_fast_open));
}

} // namespace
} // namespace vestibule::test
