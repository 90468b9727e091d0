// Ours: the SYN-ACK is the one that the host's stack was seen to send, down to the order of its options. What the RFCs
// ask of each of its fields stands in their own files.
#include "test/engine/judgement.hpp"

namespace vestibule::test {
namespace {

u32 clock_for(const draft& d, const world& w = {}) {
    return timestamp_clock(w.keys.clock, read(frame_of(d)).s, w.now_ms);
}

TEST(synack, options_stand_as_linux_puts_them) {
    const draft d = v4({.options = opt::linux_syn(0xcafe)});
    const bytes stamps = opt::timestamps(clock_for(d), 0xcafe);
    EXPECT_EQ(reply_to(d).options, join({opt::mss(1460), opt::sack_permitted(), stamps, opt::nop(), opt::scale(7)}));
    EXPECT_EQ(options_to(opt::windows_syn()),
              join({opt::mss(1460), opt::nop(2), opt::sack_permitted(), opt::nop(), opt::scale(7)}));
}

bytes in_linux_order(const offered_options& agreed, u32 clock) {
    bytes expected = opt::mss(1460);
    if (agreed.stamps)
        expected = join({expected, agreed.sack ? opt::sack_permitted() : opt::nop(2), opt::timestamps(clock, 0xbeef)});
    else if (agreed.sack)
        expected = join({expected, opt::nop(2), opt::sack_permitted()});
    return agreed.scale ? join({expected, opt::nop(), opt::scale(7)}) : expected;
}

// Every subset of what a peer may offer, against every subset of what a host allows: bits in the same order.
TEST(synack, options_say_only_what_was_offered_and_is_allowed) {
    for (u32 offered = 0; offered < 8; ++offered)
        for (u32 allowed = 0; allowed < 8; ++allowed) {
            const draft d = offering(offered_options(offered));
            const world w = allowing(static_cast<u8>(allowed));
            EXPECT_EQ(reply_to(d, w).options, in_linux_order(offered_options(offered & allowed), clock_for(d, w)))
                << offered << " " << allowed;
        }
}

TEST(synack, window_mss_and_scale_are_those_of_the_class_of_offer) {
    world w;
    w.v4_answer.with_timestamps = {1111, 1311, 5, allows_all, 5, 0};
    w.v4_answer.without_timestamps = {2222, 1322, 6, allows_all, 6, 0};
    const reply with = reply_to(v4({.options = opt::linux_syn()}), w);
    EXPECT_EQ(with.window, 1111U);
    EXPECT_EQ(part(with.options, 0, 4), opt::mss(1311));
    EXPECT_EQ(part(with.options, 17, 3), opt::scale(5));
    const reply without = reply_to(v4({.options = opt::windows_syn()}), w);
    EXPECT_EQ(without.window, 2222U);
    EXPECT_EQ(part(without.options, 0, 4), opt::mss(1322));
    EXPECT_EQ(part(without.options, 9, 3), opt::scale(6));
}

TEST(synack, what_the_host_agrees_to_is_that_of_the_class_of_offer) {
    world w;
    w.v4_answer.with_timestamps.allows = allows_timestamps;
    w.v4_answer.without_timestamps.allows = allows_sack;
    EXPECT_EQ(part(options_to(opt::linux_syn(), w), 4, 4), (bytes{1, 1, 8, 10}));
    EXPECT_EQ(options_to(opt::windows_syn(), w), join({opt::mss(1460), opt::nop(2), opt::sack_permitted()}));
}

// A host that refuses timestamps answers an offer of them as it answers one without.
TEST(synack, refused_timestamps_make_the_class_without) {
    world w;
    w.v4_answer.with_timestamps = {1111, 1311, 5, allows_window_scale, 5, 0};
    w.v4_answer.without_timestamps = {2222, 1322, 6, allows_window_scale, 6, 0};
    EXPECT_EQ(reply_to(v4({.options = opt::linux_syn()}), w).window, 2222U);
}

TEST(synack, only_a_reply_changes_the_frame) {
    for (const draft& d : {v4({.flags = wire::ack}), v4({.flags = wire::syn | wire::fin}), v4({.to_port = 81})})
        EXPECT_EQ(world{}.attempt(d).reply, frame_of(d));
}

// What the adaptor makes of frames without a segment: of headers without end alone the stack need not know.
TEST(unread_frames, pass_but_for_headers_without_end) {
    EXPECT_EQ(judge_unread(shape::other), passed(reason::not_tcp));
    EXPECT_EQ(judge_unread(shape::malformed), passed(reason::syn_malformed));
    EXPECT_EQ(judge_unread(shape::deep_tags), passed(reason::too_many_tags));
    EXPECT_EQ(judge_unread(shape::routed), passed(reason::source_route));
    EXPECT_EQ(judge_unread(shape::deep_headers), dropped(reason::too_many_headers));
}

} // namespace
} // namespace vestibule::test
