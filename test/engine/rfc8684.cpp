// RFC 8684: Multipath TCP. Its keys and tokens are the stack's, so its listeners are, too.
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

// A join asks for one more path of a connection that a listener of this kind has. Any other listener ignores the option, and
// so must we: a SYN that went past us for it would bring a flood past us, too.
TEST(rfc8684_3_2, a_join_is_the_stacks_at_such_a_listener_and_a_plain_syn_at_any_other) {
    const draft joining = v4({.options = join({opt::mss(1460), opt::multipath_join()})});
    EXPECT_EQ(met_by(listening(&listener::multipath), joining), passed(reason::syn_multipath));
    EXPECT_EQ(met_by(listening(&listener::queue_full), joining), dropped(reason::accept_queue_full));
    EXPECT_EQ(kinds_of(opt::multipath_join()), 0U);
    const attempted a = world{}.attempt(joining);
    EXPECT_EQ(a.result, answered);
    EXPECT_EQ(a.reply.size(), 14U + 20 + 24);
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
