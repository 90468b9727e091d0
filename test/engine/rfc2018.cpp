// RFC 2018: selective acknowledgment, as far as a handshake goes.
//
// Not the adaptor's:
//   3 to 8  SACK blocks, sent and received - the stack's
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

TEST(rfc2018_2, sack_permitted_counts_only_with_its_own_length) {
    EXPECT_EQ(kinds_of(opt::sack_permitted()), offers_sack);
    EXPECT_EQ(kinds_of(opt::option(4, {0})), 0U);
}

TEST(rfc2018_2, it_is_said_only_to_a_peer_that_said_it_and_where_the_host_agrees) {
    const bytes said = join({opt::mss(1460), opt::nop(2), opt::sack_permitted()});
    EXPECT_EQ(options_to(opt::sack_permitted()), said);
    EXPECT_EQ(options_to({}), opt::mss(1460));
    EXPECT_EQ(options_to(opt::sack_permitted(), allowing(0)), opt::mss(1460));
}

TEST(rfc2018_2, the_record_has_what_was_agreed_on) {
    EXPECT_EQ(record_of(v4({.options = opt::sack_permitted()})).sack, 1);
    EXPECT_EQ(record_of(v4()).sack, 0);
    EXPECT_EQ(record_of(v4({.options = opt::sack_permitted()}), allowing(0)).sack, 0);
}

TEST(rfc2018_2, in_a_segment_without_syn_it_is_ignored) {
    draft ack = ack_of(v4());
    ack.options = opt::sack_permitted();
    EXPECT_EQ(world{}.complete(ack).record.sack, 0);
}

TEST(rfc2018_3, sack_blocks_are_not_sack_permitted) {
    EXPECT_EQ(kinds_of(opt::option(5, bytes(8, 1))), 0U);
    EXPECT_EQ(kinds_of(opt::option(5, {})), 0U);
}

} // namespace
} // namespace vestibule::test
