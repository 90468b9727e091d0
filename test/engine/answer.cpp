// Ours: the answer on file, which says whether a SYN is answered at all (DESIGN.md, "Rehearsal"). In the order in which
// it is judged. What the SYN-ACK takes from it: synack.cpp.
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

TEST(answer, our_own_rehearsals_pass_in_both_directions) {
    EXPECT_EQ(met(v4({.sequence = world::rehearsal_token})), passed(reason::rehearsal));
    draft ack = ack_of(linux_v4());
    ack.sequence = world::rehearsal_token;
    EXPECT_EQ(world{}.complete(ack).result, passed(reason::rehearsal));
}

TEST(answer, while_stopping_no_attempt_is_answered) {
    world w;
    w.answering = false;
    EXPECT_EQ(met(v4(), w), passed(reason::stopping));
}

TEST(answer, while_stopping_rehearsals_are_still_known) {
    world w;
    w.answering = false;
    EXPECT_EQ(met(v4({.sequence = world::rehearsal_token}), w), passed(reason::rehearsal));
}

TEST(answer, while_stopping_outstanding_handshakes_are_finished) {
    world w;
    const draft ack = ack_of(linux_v4(), w);
    w.answering = false;
    EXPECT_EQ(w.complete(ack).result, admitted);
}

TEST(answer, without_one_a_listener_is_left_to_the_stack_and_asked_for) {
    world w;
    w.on_file = false;
    EXPECT_EQ(met(v4(), w), passed(reason::no_answer_on_file));
    w.socket.queue_full = true; // the stack's to drop
    EXPECT_EQ(met(v4(), w), passed(reason::no_answer_on_file));
}

TEST(answer, without_one_nothing_is_asked_for_what_has_no_listener) {
    world w;
    w.on_file = false;
    w.socket.state = socket_state::absent;
    EXPECT_EQ(met(v4(), w), passed(reason::no_listener));
}

TEST(answer, without_one_what_only_the_stack_can_do_is_not_asked_for) {
    world w;
    w.on_file = false;
    w.socket = listening(&listener::fast_open);
    EXPECT_EQ(met(v4({.options = opt::fast_open_request()}), w), passed(reason::syn_fast_open));
    EXPECT_EQ(met(v4({.options = opt::md5()}), w), passed(reason::syn_signed));
}

TEST(answer, holds_for_its_own_interface_only) {
    const world w;
    circumstances elsewhere = w.moment();
    elsewhere.ifindex += 1;
    EXPECT_EQ(attempt(frame_of(v4()), w.host_side(), elsewhere).result, passed(reason::no_answer_on_file));
}

TEST(answer, holds_for_its_own_address_and_port_only) {
    EXPECT_EQ(met(v4({.to_port = 81})), passed(reason::no_listener));
    EXPECT_EQ(met(v4({.destination = ip("192.0.2.2")})), passed(reason::no_listener));
}

TEST(answer, that_leaves_the_endpoint_leaves_it) {
    world w;
    w.v4_answer.state = w.v6_answer.state = service::left;
    EXPECT_EQ(met(v4(), w), passed(reason::left_to_stack));
    EXPECT_EQ(met(v6(), w), passed(reason::left_to_stack));
    EXPECT_EQ(met(v4({.fragment = 0x2000}), w), passed(reason::left_to_stack));
}

TEST(answer, of_one_family_says_nothing_of_the_other) {
    world w;
    w.v6_answer.state = service::left;
    EXPECT_EQ(met(v4(), w), answered);
    EXPECT_EQ(met(v6(), w), passed(reason::left_to_stack));
}

TEST(answer, nothing_is_composed_where_nothing_is_answered) {
    const synack none{};
    for (const draft& d : {v4({.options = opt::md5()}), v4({.to_port = 81}), v4({.flags = wire::ack})}) {
        const attempted a = world{}.attempt(d);
        EXPECT_EQ(__builtin_memcmp(&a.answer, &none, sizeof(none)), 0);
    }
}

TEST(answer, that_does_not_serve_admits_nothing_either) {
    world w;
    const draft ack = ack_of(linux_v4(), w);
    w.v4_answer.state = service::left;
    EXPECT_EQ(w.complete(ack).result, passed(reason::not_served));
    w.on_file = false;
    EXPECT_EQ(w.complete(ack).result, passed(reason::not_served));
}

} // namespace
} // namespace vestibule::test
