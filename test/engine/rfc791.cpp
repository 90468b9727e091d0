// IPv4: RFC 791, RFC 1858, RFC 2474, RFC 6864.
//
// Not the adaptor's:
//   791 3.1  source route - the stack says whether it may be followed (RFC 9293 MUST-53, MUST-54)
//   791 3.1  security, record route, timestamp - not read and not sent back
//   791 3.2  reassembly - the stack's; no SYN for a served listener gets that far
//   791 3.2  time to live of what arrives - the routers'
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

TEST(rfc791_3_1, fields_are_read) {
    const read_frame r = read(frame_of(v4({.traffic_class = 0xb9, .window = 0x1234, .options = opt::linux_syn()})));
    ASSERT_EQ(r.how, shape::tcp);
    EXPECT_TRUE(same(r.s.source, ip("198.51.100.7")));
    EXPECT_TRUE(same(r.s.destination, ip("192.0.2.1")));
    EXPECT_EQ(host(r.s.source_port), 40000);
    EXPECT_EQ(host(r.s.destination_port), 80);
    EXPECT_EQ(r.s.sequence, 0x01020304U);
    EXPECT_EQ(r.s.window, 0x1234);
    EXPECT_EQ(r.s.ecn, 1);
    EXPECT_FALSE(r.s.v6);
    EXPECT_EQ(r.s.options_at, 14 + 20 + 20);
    EXPECT_EQ(r.s.options_length, 20);
    EXPECT_EQ(r.s.payload_length, 0);
}

TEST(rfc791_3_1, options_of_every_length_are_stepped_over) {
    for (std::size_t words = 0; words <= 10; ++words) {
        const read_frame r = read(frame_of(v4({.ip_options = bytes(4 * words, 1), .options = opt::linux_syn()})));
        ASSERT_EQ(r.how, shape::tcp) << words;
        EXPECT_EQ(host(r.s.destination_port), 80);
        EXPECT_EQ(r.s.options_at, 14 + 20 + 4 * words + 20);
        EXPECT_EQ(r.o.mss, 1460U);
    }
}

TEST(rfc791_3_1, a_syn_with_options_is_answered_and_they_are_not_sent_back) {
    const reply r = reply_to(v4({.ip_options = bytes(40, 1)}));
    EXPECT_TRUE(r.lengths_agree);
    EXPECT_EQ(r.ip_sum, 0U);
    EXPECT_EQ(r.tcp_sum, 0U);
}

bytes loose_route(u8 kind) {
    return {1, kind, 7, 4, 203, 0, 113, 9};
}

TEST(rfc791_3_1, a_source_route_is_for_the_stack_to_follow_or_refuse) {
    for (const u8 kind : {u8{131}, u8{137}})
        EXPECT_EQ(met(v4({.ip_options = loose_route(kind)})), passed(reason::source_route)) << int{kind};
}

TEST(rfc791_3_1, what_looks_like_a_source_route_behind_the_end_or_inside_an_option_is_none) {
    EXPECT_EQ(shape_of(v4({.ip_options = {0, 131, 7, 4}})), shape::tcp);
    EXPECT_EQ(shape_of(v4({.ip_options = {7, 7, 4, 131, 137, 0, 0, 1}})), shape::tcp); // record route
}

TEST(rfc791_3_1, options_that_break_their_lengths_are_for_the_stack_to_judge) {
    EXPECT_EQ(shape_of(v4({.ip_options = {7, 1, 4, 0}})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.ip_options = {1, 7, 4, 0}})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.ip_options = {1, 7, 3, 4}})), shape::tcp);
}

TEST(rfc791_3_1, a_completing_segment_with_options_is_admitted) {
    draft ack = ack_of(linux_v4());
    ack.ip_options = bytes(12, 1);
    EXPECT_EQ(world{}.complete(ack).result, admitted);
}

TEST(rfc791_3_1, version_and_header_length_must_agree_with_themselves) {
    EXPECT_EQ(shape_of(v4({.version_length = u8{0x44}})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.version_length = u8{0x55}})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.version_length = u8{0x65}})), shape::malformed);
}

TEST(rfc791_3_1, total_length_must_hold_the_headers) {
    EXPECT_EQ(shape_of(v4({.ip_length = u16{19}})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.ip_length = u16{39}})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.ip_length = u16{40}})), shape::tcp);
    EXPECT_EQ(shape_of(v4({.ip_options = bytes(8, 1), .ip_length = u16{27}})), shape::malformed);
}

TEST(rfc791_3_1, total_length_may_not_claim_more_than_has_come) {
    EXPECT_EQ(shape_of(v4({.ip_length = u16{41}})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.ip_length = u16{65535}})), shape::malformed);
}

// A jumbo frame, or a socket buffer in pages: what is there may be more than what may be read at once.
TEST(rfc791_3_1, total_length_counts_the_bytes_of_a_frame_that_lie_elsewhere) {
    bytes b = frame_of(v4({.ip_length = u16{40 + 100}}));
    frame f = span_of(b);
    segment s{};
    f.beyond = 99;
    EXPECT_EQ(parse(f, s), shape::malformed);
    f.beyond = 100;
    s = {};
    EXPECT_EQ(parse(f, s), shape::tcp);
    EXPECT_EQ(s.payload_length, 100);
}

TEST(rfc791_3_1, a_header_whose_options_lie_elsewhere_is_not_read_past_what_is_at_hand) {
    const bytes whole = frame_of(v4({.ip_options = bytes(40, 1)}));
    for (std::size_t length = 0; length < 14U + 60 + 20; ++length) {
        bytes at_hand = part(whole, 0, length);
        frame f = span_of(at_hand);
        f.beyond = static_cast<u32>(whole.size() - length);
        segment s{};
        EXPECT_EQ(parse(f, s), shape::malformed) << length;
    }
}

TEST(rfc791_3_1, padding_behind_the_packet_is_no_payload) {
    const read_frame r = read(frame_of(v4({.payload = bytes(3, 'x'), .trailer = bytes(6, 0)})));
    ASSERT_EQ(r.how, shape::tcp);
    EXPECT_EQ(r.s.payload_length, 3);
}

TEST(rfc791_3_1, a_wrong_header_checksum_is_malformed) {
    EXPECT_EQ(shape_of(v4({.ip_checksum = u16{0x1234}})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.ip_options = bytes(8, 1), .ip_checksum = u16{0x1234}})), shape::malformed);
    EXPECT_EQ(met(v4({.ip_checksum = u16{1}})), passed(reason::syn_malformed));
}

TEST(rfc791_3_1, the_checksum_guards_every_bit_of_the_header_and_its_options) {
    const bytes whole = frame_of(v4({.ip_options = bytes(40, 1)}));
    for (std::size_t bit = 0; bit < std::size_t{60} * 8; ++bit) {
        const std::size_t at = 14 + bit / 8;
        EXPECT_NE(read(with_byte(whole, at, static_cast<u8>(whole[at] ^ 1U << bit % 8))).how, shape::tcp) << bit;
    }
}

TEST(rfc791_3_1, other_protocols_are_not_ours) {
    for (const int protocol : {0, 1, 4, 17, 41, 47, 132, 255})
        EXPECT_EQ(shape_of(v4({.protocol = static_cast<u8>(protocol)})), shape::other) << protocol;
    EXPECT_EQ(met(v4({.protocol = 17})), passed(reason::not_tcp));
    EXPECT_EQ(shape_of(v4({.protocol = 17, .ip_length = u16{20}})), shape::other); // and nothing in it
}

TEST(rfc791_3_1, hop_limit_class_and_df_of_a_reply_are_the_rehearsed_ones) {
    world w;
    w.v4_answer.hop_limit = 255;
    w.v4_answer.traffic_class = 0x48;
    const reply r = reply_to(v4({.traffic_class = 0x20, .hop_limit = 3}), w);
    EXPECT_EQ(r.hop_limit, 255U);
    EXPECT_EQ(r.traffic_class, 0x48U);
    EXPECT_EQ(r.fragment, 0x4000U);
    EXPECT_EQ(r.identification, 0U);
}

TEST(rfc2474_3, the_dscp_of_a_syn_comes_back_where_the_host_reflects_it) {
    world w;
    w.v4_answer.reflects_dscp = w.v6_answer.reflects_dscp = 1;
    w.v4_answer.traffic_class = w.v6_answer.traffic_class = 0x02;
    EXPECT_EQ(reply_to(v4({.traffic_class = 0xb9}), w).traffic_class, 0xbaU);
    EXPECT_EQ(reply_to(v6({.traffic_class = 0xb9}), w).traffic_class, 0xbaU);
    EXPECT_EQ(reply_to(v4(), w).traffic_class, 0x02U);
}

// --- Fragments -------------------------------------------------------------------------------------------------------

TEST(rfc791_3_2, first_fragments_are_told_apart_and_later_ones_are_no_segments) {
    const read_frame first = read(frame_of(v4({.fragment = 0x2000})));
    EXPECT_EQ(first.how, shape::tcp);
    EXPECT_TRUE(first.s.fragmented);
    for (const u16 later : {u16{0x2001}, u16{0x0001}, u16{0x1000}, u16{0x1fff}, u16{0x4001}})
        EXPECT_EQ(shape_of(v4({.fragment = later})), shape::other) << later;
    EXPECT_EQ(met(v4({.fragment = 0x2010})), passed(reason::not_tcp));
}

TEST(rfc791_3_2, dont_fragment_and_the_reserved_flag_make_no_fragment) {
    for (const u16 flags : {u16{0}, u16{0x4000}, u16{0x8000}, u16{0xc000}})
        EXPECT_FALSE(read(frame_of(v4({.fragment = flags}))).s.fragmented) << flags;
}

TEST(rfc791_3_2, a_syn_in_fragments_for_a_served_listener_is_dropped) {
    EXPECT_EQ(met(v4({.fragment = 0x2000})), dropped(reason::syn_fragment));
}

TEST(rfc791_3_2, a_syn_in_fragments_for_others_passes) {
    world w;
    w.on_file = false;
    w.socket.state = socket_state::absent;
    EXPECT_EQ(met(v4({.fragment = 0x2000}), w), passed(reason::no_listener));
}

TEST(rfc791_3_2, a_fragment_completes_nothing) {
    draft ack = ack_of(linux_v4());
    ack.fragment = 0x2000;
    EXPECT_EQ(world{}.complete(ack).result, passed(reason::not_a_completion));
}

TEST(rfc791_3_2, the_options_of_a_first_fragment_may_lie_in_the_next) {
    const read_frame r = read(frame_of(v4({.fragment = 0x2000, .ip_length = u16{40}, .options = opt::linux_syn()})));
    EXPECT_EQ(r.how, shape::tcp);
    EXPECT_EQ(r.s.payload_length, 0);
}

TEST(rfc1858_3, a_first_fragment_with_just_its_flags_is_what_they_say) {
    const read_frame r = read(frame_of(v4({.fragment = 0x2000, .ip_length = u16{40}, .flags = wire::ack})));
    EXPECT_EQ(r.how, shape::tcp);
    EXPECT_EQ(r.s.flags, wire::ack);
}

TEST(rfc1858_3, a_first_fragment_too_short_for_its_flags_is_taken_for_a_syn) {
    for (const u16 length : {u16{24}, u16{28}, u16{36}, u16{39}}) {
        const draft d = v4({.fragment = 0x2000, .ip_length = length, .flags = wire::ack});
        const read_frame r = read(truncated(frame_of(d), 14U + length));
        ASSERT_EQ(r.how, shape::tcp) << length;
        EXPECT_TRUE(r.s.fragmented);
        EXPECT_EQ(r.s.flags, wire::syn);
        EXPECT_EQ(host(r.s.source_port), 40000);
        EXPECT_EQ(host(r.s.destination_port), 80);
    }
    EXPECT_EQ(shape_of(v4({.fragment = 0x2000, .ip_length = u16{23}})), shape::malformed);
    EXPECT_EQ(shape_of(v6({.extensions = {ext::fragment(0, true)}, .ip_length = u16{16}})), shape::tcp);
}

TEST(rfc1858_3, a_fragment_too_short_for_its_options_or_flags_is_dropped_like_any_other) {
    for (const u16 length : {u16{28}, u16{36}, u16{40}, u16{44}})
        EXPECT_EQ(met(v4({.fragment = 0x2000, .ip_length = length, .options = opt::linux_syn()})),
                  dropped(reason::syn_fragment));
    EXPECT_EQ(met(v6({.extensions = {ext::fragment(0, true)}, .ip_length = u16{16}})), dropped(reason::syn_fragment));
}

// --- Identification --------------------------------------------------------------------------------------------------

TEST(rfc6864_4_1, with_df_the_identification_of_a_reply_is_0) {
    EXPECT_EQ(reply_to(v4({.sequence = 1})).identification, 0U);
}

TEST(rfc6864_4_1, without_df_it_differs_from_packet_to_packet) {
    world w;
    w.v4_answer.dont_fragment = 0;
    const reply one = reply_to(v4({.sequence = 1}), w);
    const reply two = reply_to(v4({.sequence = 2}), w);
    EXPECT_EQ(one.fragment, 0U);
    EXPECT_NE(one.identification, two.identification);
}

} // namespace
} // namespace vestibule::test
