// What becomes of a SYN: RFC 9293 section 3.10.7.2 and what stands around it. In the order in which it is judged.
#include <gtest/gtest.h>

#include "test/engine/world.hpp"

namespace vestibule::test {
namespace {

constexpr outcome answered{action::reply, reason::syn_answered};

outcome passed(reason why) {
    return {action::pass, why};
}
outcome dropped(reason why) {
    return {action::drop, why};
}
outcome met(const draft& d, const world& w = {}) {
    return w.attempt(d).result;
}
outcome met_by(const listener& l, const draft& d = v4({.options = opt::linux_syn()})) {
    world w;
    w.socket = l;
    return met(d, w);
}

// --- Frames that are no attempt ---------------------------------------------------------------------------------------

TEST(attempt, frames_that_are_not_tcp_pass) {
    EXPECT_EQ(met(v4({.protocol = 17})), passed(reason::not_tcp));
    EXPECT_EQ(met(v4({.type = u16{0x0806}})), passed(reason::not_tcp));
    EXPECT_EQ(met(v4({.fragment = 0x2010})), passed(reason::not_tcp));
}

TEST(attempt, malformed_frames_pass_for_the_stack_to_judge) {
    EXPECT_EQ(met(v4({.ip_checksum = u16{1}})), passed(reason::syn_malformed));
    EXPECT_EQ(met(v6({.ip_length = u16{8}})), passed(reason::syn_malformed));
    EXPECT_EQ(world{}.attempt(bytes{}).result, passed(reason::syn_malformed));
}

TEST(attempt, rfc8200_more_extension_headers_than_are_walked_is_a_drop) {
    EXPECT_EQ(met(v6({.extensions = std::vector<extension>(9, ext::destination())})),
              dropped(reason::too_many_headers));
    EXPECT_EQ(met(v6({.extensions = std::vector<extension>(8, ext::destination())})), answered);
}

TEST(attempt, ieee_802_1ad_more_than_two_tags_pass) {
    EXPECT_EQ(met(v4({.tags = {{1}, {2}, {3}}})), passed(reason::too_many_tags));
}

TEST(attempt, rfc9293_3_10_7_2_segments_without_syn_are_not_ours) {
    for (const int flags : {0, +wire::ack, +wire::rst, +wire::fin, wire::ack | wire::psh, wire::fin | wire::ack,
                            wire::rst | wire::ack, +wire::urg, wire::fin | wire::psh | wire::urg})
        EXPECT_EQ(met(v4({.flags = static_cast<u8>(flags)})), passed(reason::not_an_attempt)) << flags;
}

TEST(attempt, rfc9293_3_10_7_3_syn_acks_belong_to_the_hosts_own_connections) {
    EXPECT_EQ(met(v4({.flags = wire::syn | wire::ack})), passed(reason::not_an_attempt));
    EXPECT_EQ(met(v4({.flags = wire::syn | wire::ack | wire::ece})), passed(reason::not_an_attempt));
    EXPECT_EQ(met(v4({.flags = wire::syn | wire::ack | wire::rst})), passed(reason::not_an_attempt));
}

TEST(attempt, rfc9293_3_10_7_2_syn_with_rst_or_fin_is_dropped) {
    EXPECT_EQ(met(v4({.flags = wire::syn | wire::rst})), dropped(reason::syn_with_rst_or_fin));
    EXPECT_EQ(met(v4({.flags = wire::syn | wire::fin})), dropped(reason::syn_with_rst_or_fin));
    EXPECT_EQ(met(v6({.flags = wire::syn | wire::fin | wire::psh | wire::urg})), dropped(reason::syn_with_rst_or_fin));
}

TEST(attempt, other_flags_beside_syn_do_not_matter) {
    EXPECT_EQ(met(v4({.flags = wire::syn | wire::psh})), answered);
    EXPECT_EQ(met(v4({.flags = wire::syn | wire::urg})), answered);
    EXPECT_EQ(met(v4({.reserved = 0x0e})), answered);
}

// --- Addresses --------------------------------------------------------------------------------------------------------

class impossible : public testing::TestWithParam<const char*> {};

TEST_P(impossible, address_is_dropped_as_source_and_as_destination) {
    const address a = ip(GetParam());
    draft d = is_v4(a) ? v4() : v6();
    d.source = a;
    EXPECT_EQ(met(d), dropped(reason::bad_address));
    d = is_v4(a) ? v4() : v6();
    d.destination = a;
    EXPECT_EQ(met(d), dropped(reason::bad_address));
}

// RFC 1122 sections 3.2.1.3 and 4.2.3.10; RFC 4291 sections 2.5.2, 2.5.3, 2.7.
INSTANTIATE_TEST_SUITE_P(attempt, impossible,
                         testing::Values("0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "224.0.0.1",
                                         "239.255.255.255", "255.255.255.255", "::", "::1", "ff02::1", "ff0e::101"));

TEST(attempt, rfc4291_section_2_5_5_2_mapped_addresses_never_travel) {
    draft d = v6();
    d.source = ip("198.51.100.7");
    EXPECT_EQ(met(d), dropped(reason::bad_address));
    d = v6();
    d.destination = ip("192.0.2.1");
    EXPECT_EQ(met(d), dropped(reason::bad_address));
}

TEST(attempt, a_source_that_is_the_destination_is_dropped) {
    EXPECT_EQ(met(v4({.source = ip("192.0.2.1")})), dropped(reason::bad_address));
    EXPECT_EQ(met(v6({.source = ip("2001:db8::1")})), dropped(reason::bad_address));
}

TEST(attempt, neighbours_of_impossible_addresses_are_possible) {
    for (const char* peer : {"1.0.0.0", "126.255.255.255", "128.0.0.1", "223.255.255.255", "240.0.0.1", "10.0.0.1"})
        EXPECT_EQ(met(v4({.source = ip(peer)})), answered) << peer;
    for (const char* peer : {"::2", "fe80::1", "fd00::1", "64:ff9b::c633:6407"})
        EXPECT_EQ(met(v6({.source = ip(peer)})), answered) << peer;
}

// --- Ourselves --------------------------------------------------------------------------------------------------------

TEST(attempt, our_own_rehearsals_pass) {
    EXPECT_EQ(met(v4({.sequence = world::rehearsal_token})), passed(reason::rehearsal));
}

TEST(attempt, while_stopping_no_attempt_is_answered) {
    world w;
    w.answering = false;
    EXPECT_EQ(met(v4(), w), passed(reason::stopping));
}

// --- The answer on file -----------------------------------------------------------------------------------------------

TEST(attempt, without_an_answer_on_file_a_listener_is_left_to_the_stack_and_asked_for) {
    world w;
    w.on_file = false;
    EXPECT_EQ(met(v4(), w), passed(reason::no_answer_on_file));
    w.socket.queue_full = true; // the stack's to drop
    EXPECT_EQ(met(v4(), w), passed(reason::no_answer_on_file));
}

TEST(attempt, without_an_answer_on_file_nothing_is_asked_for_what_has_no_listener) {
    world w;
    w.on_file = false;
    w.socket.state = socket_state::absent;
    EXPECT_EQ(met(v4(), w), passed(reason::no_listener));
    w.socket = listening(&listener::multipath);
    EXPECT_EQ(met(v4(), w), passed(reason::syn_multipath));
}

TEST(attempt, an_answer_holds_for_its_own_vlan_only) {
    EXPECT_EQ(met(v4({.tags = {{5}}})), passed(reason::no_answer_on_file));
    EXPECT_EQ(met(v4({.tags = {{5, 0x88a8}, {6}}})), passed(reason::no_answer_on_file));
    EXPECT_EQ(met(v4({.tags = {{0xe000}}})), answered); // priority only: IEEE 802.1Q identifier 0
}

TEST(attempt, an_endpoint_that_rehearsal_left_is_left) {
    world w;
    w.v4_answer.state = w.v6_answer.state = service::left;
    EXPECT_EQ(met(v4(), w), passed(reason::left_to_stack));
    EXPECT_EQ(met(v6(), w), passed(reason::left_to_stack));
}

TEST(attempt, frames_for_other_stations_pass) {
    EXPECT_EQ(met(v4({.to = {0x02, 0, 0, 0, 0, 0x77}})), passed(reason::other_station));
    EXPECT_EQ(met(v4({.to = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})), passed(reason::other_station));
}

TEST(attempt, rfc791_syns_in_fragments_for_a_served_listener_are_dropped) {
    EXPECT_EQ(met(v4({.fragment = 0x2000})), dropped(reason::syn_fragment));
}

TEST(attempt, rfc8200_4_5_syns_behind_a_fragment_header_for_a_served_listener_are_dropped) {
    EXPECT_EQ(met(v6({.extensions = {ext::fragment(0, true)}})), dropped(reason::syn_fragment));
    EXPECT_EQ(met(v6({.extensions = {ext::fragment(0, false)}})), dropped(reason::syn_fragment));
    EXPECT_EQ(met(v6({.extensions = {ext::destination(), ext::fragment(0, true)}})), dropped(reason::syn_fragment));
}

TEST(attempt, rfc1858_section_3_a_fragment_too_short_for_its_options_or_flags_is_still_a_fragment) {
    for (const u16 length : {u16{28}, u16{36}, u16{40}, u16{44}})
        EXPECT_EQ(met(v4({.fragment = 0x2000, .ip_length = length, .options = opt::linux_syn()})),
                  dropped(reason::syn_fragment));
    EXPECT_EQ(met(v6({.extensions = {ext::fragment(0, true)}, .ip_length = u16{16}})), dropped(reason::syn_fragment));
}

TEST(attempt, syns_in_fragments_for_others_pass) {
    world w;
    w.on_file = false;
    w.socket.state = socket_state::absent;
    EXPECT_EQ(met(v4({.fragment = 0x2000}), w), passed(reason::no_listener));
}

// --- ECN --------------------------------------------------------------------------------------------------------------

constexpr u8 ecn_setup = wire::syn | wire::ece | wire::cwr;

bool answers_ecn(const draft& d, const world& w = {}) {
    const attempted a = w.attempt(d);
    EXPECT_EQ(a.result, answered);
    return a.answer.ecn;
}

TEST(attempt, rfc3168_6_1_1_ecn_is_agreed_to_on_ece_with_cwr_only) {
    EXPECT_TRUE(answers_ecn(v4({.flags = ecn_setup})));
    EXPECT_TRUE(answers_ecn(v6({.flags = ecn_setup})));
    EXPECT_FALSE(answers_ecn(v4({.flags = wire::syn | wire::ece})));
    EXPECT_FALSE(answers_ecn(v4({.flags = wire::syn | wire::cwr})));
    EXPECT_FALSE(answers_ecn(v4()));
}

TEST(attempt, rfc3168_6_1_1_an_ecn_capable_syn_gets_no_ecn) {
    for (u8 codepoint = 1; codepoint < 4; ++codepoint)
        EXPECT_FALSE(answers_ecn(v4({.traffic_class = codepoint, .flags = ecn_setup}))) << int{codepoint};
}

TEST(attempt, rfc3168_6_1_1_no_ecn_where_the_host_would_not) {
    world w;
    w.v4_answer.without_timestamps.allows = allows_all & ~allows_ecn;
    EXPECT_FALSE(answers_ecn(v4({.flags = ecn_setup}), w));
}

TEST(attempt, rfc9768_3_1_an_accecn_offer_is_the_stacks_where_the_host_negotiates_it) {
    EXPECT_EQ(met(v4({.flags = ecn_setup, .reserved = 1})), passed(reason::syn_accecn));
    EXPECT_EQ(met(v6({.flags = ecn_setup, .reserved = 1})), passed(reason::syn_accecn));
    EXPECT_EQ(met(v4({.reserved = 1})), answered); // AE alone offers nothing
}

TEST(attempt, rfc9768_3_1_2_an_accecn_offer_falls_back_to_classic_ecn_where_the_host_does) {
    world w;
    w.v4_answer.classic_ecn_for_accecn = 1;
    EXPECT_TRUE(answers_ecn(v4({.flags = ecn_setup, .reserved = 1}), w));
}

// --- The listener -----------------------------------------------------------------------------------------------------

TEST(attempt, rfc9293_3_10_7_1_without_a_listener_the_stack_resets) {
    EXPECT_EQ(met_by(in_state(socket_state::absent)), passed(reason::no_listener));
}

TEST(attempt, rfc9293_3_10_7_4_a_syn_on_a_known_4_tuple_is_the_stacks) {
    world w;
    imagined_host h = w.host_side();
    h.connections.push_back({ip("198.51.100.7"), network(u16{40000}), ip("192.0.2.1"), network(u16{80})});
    EXPECT_EQ(attempt(frame_of(v4()), h, w.moment()).result, passed(reason::existing_connection));
    EXPECT_EQ(attempt(frame_of(v4({.from_port = 40001})), h, w.moment()).result, answered);
}

TEST(attempt, rfc8684_3_1_multipath_listeners_and_joins_are_the_stacks) {
    EXPECT_EQ(met_by(listening(&listener::multipath)), passed(reason::syn_multipath));
    EXPECT_EQ(met(v4({.options = opt::multipath_join()})), passed(reason::syn_multipath));
}

TEST(attempt, rfc8684_3_7_a_multipath_offer_to_a_plain_listener_falls_back) {
    const attempted a = world{}.attempt(v4({.options = join({opt::mss(1460), opt::multipath_capable()})}));
    EXPECT_EQ(a.result, answered);
    EXPECT_EQ(a.reply.size(), 14U + 20 + 24);
}

TEST(attempt, rfc2385_rfc5925_signed_syns_and_listeners_with_keys_are_the_stacks) {
    EXPECT_EQ(met_by(listening(&listener::demands_keys)), passed(reason::syn_signed));
    EXPECT_EQ(met(v4({.options = opt::md5()})), passed(reason::syn_signed));
    EXPECT_EQ(met(v4({.options = opt::authentication()})), passed(reason::syn_signed));
}

TEST(attempt, rfc7413_section_4_fast_open_is_the_stacks_where_the_listener_takes_it) {
    const listener takes_it = listening(&listener::fast_open);
    EXPECT_EQ(met_by(takes_it, v4({.options = opt::fast_open_request()})), passed(reason::syn_fast_open));
    EXPECT_EQ(met_by(takes_it, v4({.options = opt::fast_open_cookie(), .payload = bytes(9, 'x')})),
              passed(reason::syn_fast_open));
    EXPECT_EQ(met_by(takes_it), answered);
    EXPECT_EQ(met(v4({.options = opt::fast_open_request()})), answered);
}

TEST(attempt, rfc4987_a_full_accept_queue_drops_and_the_peer_retries) {
    EXPECT_EQ(met_by(listening(&listener::queue_full)), dropped(reason::accept_queue_full));
}

TEST(attempt, what_the_stack_must_see_reaches_it_though_the_queue_is_full) {
    const listener full = listening(&listener::queue_full, &listener::fast_open);
    EXPECT_EQ(met_by(full, v4({.options = opt::md5()})), passed(reason::syn_signed));
    EXPECT_EQ(met_by(full, v4({.options = opt::fast_open_request()})), passed(reason::syn_fast_open));
}

TEST(attempt, a_listener_that_waits_for_data_is_answered_all_the_same) {
    EXPECT_EQ(met_by(listening(&listener::waits_for_data)), answered);
}

// --- The port ---------------------------------------------------------------------------------------------------------

TEST(attempt, asks_the_host_at_most_once_for_each_thing_and_never_for_what_is_no_attempt) {
    const world w;
    imagined_host h = w.host_side();
    attempt(frame_of(v4()), h, w.moment());
    EXPECT_EQ(h.answer_calls, 1);
    EXPECT_EQ(h.listener_calls, 1);
    attempt(frame_of(v4({.flags = wire::ack})), h, w.moment());
    attempt(frame_of(v4({.source = ip("127.0.0.1")})), h, w.moment());
    EXPECT_EQ(h.answer_calls, 1);
    EXPECT_EQ(h.listener_calls, 1);
}

TEST(attempt, only_a_reply_changes_the_frame) {
    for (const draft& d : {v4({.flags = wire::ack}), v4({.flags = wire::syn | wire::fin}), v4({.to_port = 81})})
        EXPECT_EQ(world{}.attempt(d).reply, frame_of(d));
}

// --- Frames without a segment to judge ---

TEST(attempt_unread, only_headers_without_end_are_dropped_everything_else_is_the_stacks) {
    const auto is = [](const outcome& o, action act, reason why) { return o.act == act && o.why == why; };
    EXPECT_TRUE(is(judge_unread(shape::other), action::pass, reason::not_tcp));
    EXPECT_TRUE(is(judge_unread(shape::malformed), action::pass, reason::syn_malformed));
    EXPECT_TRUE(is(judge_unread(shape::deep_tags), action::pass, reason::too_many_tags));
    EXPECT_TRUE(is(judge_unread(shape::deep_headers), action::drop, reason::too_many_headers));
}

} // namespace
} // namespace vestibule::test
