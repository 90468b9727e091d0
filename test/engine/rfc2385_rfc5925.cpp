// RFC 2385 and RFC 5925: MD5 and AO signatures. The keys are the listener's, so whatever is signed, or must be, is the
// stack's.
//
// Not the adaptor's:
//   2385 2.0, 5925 7  keys, digests, what to do with a wrong one - the stack's
//   5925 5.1          signatures in place of a cookie's MAC - a handshake that needs one is the stack's
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

TEST(rfc2385_3_0, a_signature_is_seen_whatever_its_length) {
    EXPECT_EQ(kinds_of(opt::md5()), offers_signature);
    EXPECT_EQ(kinds_of(opt::option(19, {})), offers_signature);
    EXPECT_EQ(kinds_of(opt::option(19, bytes(17, 0xaa))), offers_signature);
}

TEST(rfc5925_2_2, a_signature_is_seen_whatever_its_length) {
    EXPECT_EQ(kinds_of(opt::authentication()), offers_signature);
    EXPECT_EQ(kinds_of(opt::option(29, {1, 1})), offers_signature);
}

// The kernel looks for signatures by itself, as long as there is room for one; what it cannot read then, it drops.
TEST(rfc2385_3_0, options_that_break_off_where_a_signature_might_follow_are_nonsense) {
    for (std::size_t left = 2; left < 30; ++left) {
        const bytes lead = join({opt::sack_permitted(), opt::nop((30 - left) % 4)});
        const u32 expected = left >= 18 ? offers_nonsense | offers_sack : offers_sack;
        for (const bytes& broken : {bytes{77, 0}, bytes{2, 1}, bytes{3, 39}})
            EXPECT_EQ(kinds_of(join({lead, broken, bytes(left - 2, 1)})), expected) << left;
    }
    EXPECT_EQ(kinds_of(join({{0}, bytes(30, 77)})), 0U); // the list had ended
}

TEST(rfc2385_3_0, a_syn_of_nonsense_is_dropped_as_by_the_kernel) {
    const bytes nonsense = join({opt::mss(1460), {77, 0}, bytes(18, 1)});
    EXPECT_EQ(met(v4({.options = nonsense})), dropped(reason::syn_nonsense));
    EXPECT_EQ(met(v6({.options = nonsense})), dropped(reason::syn_nonsense));
    world w;
    w.v4_answer.state = service::left;
    EXPECT_EQ(met(v4({.options = nonsense}), w), passed(reason::left_to_stack));
}

TEST(rfc2385_2_0, a_signed_syn_is_the_stacks) {
    EXPECT_EQ(met(v4({.options = opt::md5()})), passed(reason::syn_signed));
    EXPECT_EQ(met(v6({.options = join({opt::mss(1440), opt::md5()})})), passed(reason::syn_signed));
}

TEST(rfc5925_7_2, a_signed_syn_is_the_stacks) {
    EXPECT_EQ(met(v4({.options = opt::authentication()})), passed(reason::syn_signed));
}

TEST(rfc5925_7_2, a_listener_with_keys_is_the_stacks_signed_or_not) {
    EXPECT_EQ(met_by(listening(&listener::demands_keys)), passed(reason::syn_signed));
    EXPECT_EQ(met_by(listening(&listener::demands_keys), v4({.options = opt::md5()})), passed(reason::syn_signed));
}

TEST(rfc2385_2_0, a_signed_syn_reaches_the_stack_though_the_accept_queue_is_full) {
    EXPECT_EQ(met_by(listening(&listener::queue_full), v4({.options = opt::md5()})), passed(reason::syn_signed));
}

// A listener that demands keys is silent in its rehearsal, so it is left: what is signed is counted as signed there.
TEST(rfc5925_7_2, a_signed_syn_to_an_endpoint_that_is_left_is_counted_as_signed) {
    world w;
    w.v4_answer.state = service::left;
    EXPECT_EQ(met(v4({.options = opt::md5()}), w), passed(reason::syn_signed));
    EXPECT_EQ(met(v4({.options = opt::authentication()}), w), passed(reason::syn_signed));
    EXPECT_EQ(met(v4(), w), passed(reason::left_to_stack));
}

} // namespace
} // namespace vestibule::test
