// RFC 8684: Multipath TCP. Its keys and tokens are the stack's, so its listeners and its joins are, too.
//
// Not the adaptor's:
//   3.1         keys, versions, checksums - the stack's
//   3.2         tokens and nonces of a join - the stack's, which resets a join that it cannot place
//   3.3 to 3.9  all else - the stack's
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

TEST(rfc8684_3_1, a_listener_that_speaks_it_is_the_stacks_whatever_is_offered) {
    for (const bytes& options : {bytes{}, opt::linux_syn(), opt::multipath_capable()})
        EXPECT_EQ(met_by(listening(&listener::multipath), v4({.options = options})), passed(reason::syn_multipath));
}

TEST(rfc8684_3_1, such_a_listener_without_an_answer_on_file_is_not_asked_about) {
    world w;
    w.on_file = false;
    w.socket = listening(&listener::multipath);
    EXPECT_EQ(met(v4(), w), passed(reason::syn_multipath));
}

TEST(rfc8684_3_2, joins_are_told_from_every_other_subtype) {
    for (u8 subtype = 0; subtype < 16; ++subtype) {
        bytes content(10, 0xaa);
        content[0] = static_cast<u8>(subtype << 4 | 0x0f); // the rest of the byte is the subtype's own
        EXPECT_EQ(kinds_of(opt::option(30, content)), subtype == 1 ? u32{offers_join} : 0U) << int{subtype};
    }
    EXPECT_EQ(kinds_of(opt::option(30, {0x10})), 0U); // no room for a subtype's own fields
    EXPECT_EQ(kinds_of(opt::option(30, {0x10, 0})), offers_join);
}

TEST(rfc8684_3_2, a_join_is_the_stacks_at_every_listener) {
    EXPECT_EQ(met(v4({.options = opt::multipath_join()})), passed(reason::syn_multipath));
    EXPECT_EQ(met_by(listening(&listener::queue_full), v4({.options = opt::multipath_join()})),
              passed(reason::syn_multipath));
}

TEST(rfc8684_3_7, an_offer_to_a_plain_listener_falls_back) {
    const attempted a = world{}.attempt(v4({.options = join({opt::mss(1460), opt::multipath_capable()})}));
    EXPECT_EQ(a.result, answered);
    EXPECT_EQ(a.reply.size(), 14U + 20 + 24);
}

TEST(rfc8684_3_7, a_completing_segment_that_speaks_it_is_plain_tcp) {
    draft ack = ack_of(v4({.options = opt::multipath_capable()}));
    ack.options = opt::multipath_capable();
    EXPECT_EQ(world{}.complete(ack).result, admitted);
}

} // namespace
} // namespace vestibule::test
