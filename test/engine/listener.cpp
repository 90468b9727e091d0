// Ours: what the listener itself has to say, looked up for each SYN and again at the handoff (RFC 4987 section 2 asks
// that a full backlog be felt).
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

TEST(listener_accept_queue, a_full_one_drops_the_syn_and_the_peer_retries) {
    EXPECT_EQ(met_by(listening(&listener::queue_full)), dropped(reason::accept_queue_full));
}

TEST(listener_accept_queue, a_full_one_drops_the_ack_as_the_kernel_does) {
    world w;
    const draft ack = ack_of(linux_v4(), w);
    w.socket.queue_full = true;
    EXPECT_EQ(w.complete(ack).result, dropped(reason::accept_queue_full));
}

TEST(listener_accept_queue, an_ack_that_completes_nothing_is_no_matter_of_the_queue) {
    world w;
    w.socket.queue_full = true;
    EXPECT_EQ(w.complete(v4({.acknowledgment = 1, .flags = wire::ack})).result, invalid);
}

TEST(listener_defer_accept, a_syn_is_answered_all_the_same) {
    EXPECT_EQ(met_by(listening(&listener::waits_for_data)), answered);
}

TEST(listener_defer_accept, an_ack_without_data_waits_for_the_data) {
    world w;
    w.socket.waits_for_data = true;
    draft ack = ack_of(linux_v4(), w);
    EXPECT_EQ(w.complete(ack).result, dropped(reason::accept_deferred));
    ack.payload = {'G'};
    EXPECT_EQ(w.complete(ack).result, admitted);
    ack.acknowledgment += 1; // a bad cookie stays bad
    ack.options = {};
    EXPECT_EQ(w.complete(ack).result, invalid);
}

TEST(listener_defer_accept, a_fin_says_that_no_data_will_come) {
    world w;
    w.socket.waits_for_data = true;
    draft ack = ack_of(linux_v4(), w);
    ack.flags |= wire::fin;
    EXPECT_EQ(w.complete(ack).result, admitted);
}

TEST(listener_defer_accept, a_bad_cookie_without_data_stays_bad) {
    world w;
    w.socket.waits_for_data = true;
    EXPECT_EQ(w.complete(v4({.acknowledgment = 1, .flags = wire::ack})).result, invalid);
}

TEST(listener_save_syn, one_that_keeps_syns_gets_them) {
    EXPECT_EQ(met_by(listening(&listener::keeps_syns)), passed(reason::syn_kept));
    EXPECT_EQ(met_by(listening(&listener::keeps_syns, &listener::queue_full)), passed(reason::syn_kept));
}

// The port of the engine may ask for each thing once, and pays for each.
TEST(listener_asked, at_most_once_for_each_thing_and_never_for_what_is_no_attempt) {
    const world w;
    imagined_host h = w.host_side();
    attempt(frame_of(v4()), h, w.moment());
    EXPECT_EQ(h.answer_calls, 1);
    EXPECT_EQ(h.listener_calls, 1);
    attempt(frame_of(v4({.flags = wire::ack})), h, w.moment());
    attempt(frame_of(v4({.source = ip("127.0.0.1")})), h, w.moment());
    EXPECT_EQ(h.answer_calls, 1);
    EXPECT_EQ(h.listener_calls, 1);
    attempt(frame_of(v4({.to_port = 81})), h, w.moment());
    EXPECT_EQ(h.answer_calls, 2);
    EXPECT_EQ(h.listener_calls, 2);
}

TEST(listener_asked, never_where_the_answer_leaves_the_endpoint) {
    world w;
    w.v4_answer.state = service::left;
    imagined_host h = w.host_side();
    attempt(frame_of(v4()), h, w.moment());
    EXPECT_EQ(h.listener_calls, 0);
    EXPECT_EQ(h.way_calls, 0);
}

TEST(listener_asked, once_for_an_answer_when_a_handshake_completes) {
    const world w;
    const imagined_host h = w.host_side();
    EXPECT_EQ(complete(frame_of(ack_of(linux_v4(), w)), h, w.moment()).result, admitted);
    EXPECT_EQ(h.answer_calls, 1);
    EXPECT_EQ(h.listener_calls, 1);
}

} // namespace
} // namespace vestibule::test
