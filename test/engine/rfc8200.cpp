// IPv6: RFC 8200, RFC 5095, RFC 6437, RFC 6946, RFC 7112.
//
// Not the adaptor's:
//   8200 4.2    what unknown options ask for by their high bits - not read: where the stack discards such packets, it
//               discards the completing segment
//   8200 4.5    reassembly - the stack's; no SYN for a served listener gets that far
//   2675        jumbograms - payload length 0 is no segment: the stack's
//   4302, 4303  authentication, encryption - not TCP to us: the stack's
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

draft with_extensions(std::vector<extension> extensions) {
    draft d = v6({.options = opt::linux_syn()});
    d.extensions = std::move(extensions);
    return d;
}

TEST(rfc8200_3, fields_are_read) {
    const read_frame r = read(frame_of(v6({.traffic_class = 0xba, .options = opt::linux_syn()})));
    ASSERT_EQ(r.how, shape::tcp);
    EXPECT_TRUE(same(r.s.source, ip("2001:db8::7")));
    EXPECT_TRUE(same(r.s.destination, ip("2001:db8::1")));
    EXPECT_EQ(r.s.ecn, 2);
    EXPECT_TRUE(r.s.v6);
    EXPECT_EQ(r.s.options_at, 14 + 40 + 20);
}

TEST(rfc8200_3, version_must_be_6) {
    EXPECT_EQ(shape_of(v6({.version_length = u8{0x40}})), shape::malformed);
    EXPECT_EQ(shape_of(v6({.version_length = u8{0x70}})), shape::malformed);
}

TEST(rfc8200_3, payload_length_must_hold_the_tcp_header) {
    EXPECT_EQ(shape_of(v6({.ip_length = u16{19}})), shape::malformed);
    EXPECT_EQ(shape_of(v6({.ip_length = u16{0}})), shape::malformed);
    EXPECT_EQ(shape_of(v6({.ip_length = u16{20}})), shape::tcp);
    EXPECT_EQ(met(v6({.ip_length = u16{8}})), passed(reason::syn_malformed));
}

TEST(rfc8200_3, payload_length_may_not_claim_more_than_has_come) {
    EXPECT_EQ(shape_of(v6({.ip_length = u16{21}})), shape::malformed);
    EXPECT_EQ(shape_of(with_extensions({{wire::header_destination, bytes(6, 0), u8{3}}})), shape::malformed);
}

TEST(rfc8200_3, padding_behind_the_packet_is_no_payload) {
    EXPECT_EQ(read(frame_of(v6({.payload = bytes(3, 'x'), .trailer = bytes(6, 0)}))).s.payload_length, 3);
}

TEST(rfc8200_3, hop_limit_and_class_of_a_reply_are_the_rehearsed_ones) {
    world w;
    w.v6_answer.hop_limit = 200;
    w.v6_answer.traffic_class = 0x48;
    const reply r = reply_to(v6({.traffic_class = 0xff, .hop_limit = 3}), w);
    EXPECT_EQ(r.hop_limit, 200U);
    EXPECT_EQ(r.traffic_class, 0x48U);
}

// --- Extension headers -----------------------------------------------------------------------------------------------

TEST(rfc8200_4, extension_headers_are_stepped_over) {
    const read_frame r = read(frame_of(with_extensions({ext::hop_by_hop(), ext::destination(3), ext::routing(0)})));
    ASSERT_EQ(r.how, shape::tcp);
    EXPECT_EQ(host(r.s.destination_port), 80);
    EXPECT_EQ(r.s.options_at, 14 + 40 + 8 + 24 + 8 + 20);
    EXPECT_EQ(r.o.mss, 1460U);
    EXPECT_FALSE(r.s.fragmented);
}

TEST(rfc8200_4, eight_extension_headers_are_walked_and_nine_are_dropped) {
    const std::vector<extension> eight(8, ext::destination());
    const std::vector<extension> nine(9, ext::destination());
    EXPECT_EQ(shape_of(with_extensions(eight)), shape::tcp);
    EXPECT_EQ(shape_of(with_extensions(nine)), shape::deep_headers);
    EXPECT_EQ(met(with_extensions(eight)), answered);
    EXPECT_EQ(met(with_extensions(nine)), dropped(reason::too_many_headers));
}

TEST(rfc8200_4, the_longest_extension_headers_are_walked) {
    const read_frame r = read(frame_of(with_extensions({8, ext::destination(256)})));
    ASSERT_EQ(r.how, shape::tcp);
    EXPECT_EQ(r.s.options_at, 14 + 40 + 8 * 2048 + 20);
}

TEST(rfc8200_4, an_extension_header_longer_than_the_packet_is_malformed) {
    EXPECT_EQ(shape_of(with_extensions({{wire::header_destination, bytes(6, 0), u8{200}}})), shape::malformed);
    draft d = with_extensions({ext::destination(2)});
    d.ip_length = u16{15};
    EXPECT_EQ(shape_of(d), shape::malformed);
    d.ip_length = u16{16}; // it fits, and nothing follows
    EXPECT_EQ(shape_of(d), shape::malformed);
}

TEST(rfc8200_4, a_reply_has_none) {
    const reply r = reply_to(v6({.extensions = {ext::hop_by_hop(), ext::destination(4)}, .options = opt::linux_syn()}));
    EXPECT_TRUE(r.lengths_agree);
    EXPECT_EQ(r.tcp_sum, 0U);
}

TEST(rfc8200_4, a_completing_segment_behind_some_is_admitted) {
    draft ack = ack_of(linux_v6());
    ack.extensions = {ext::hop_by_hop(), ext::destination()};
    EXPECT_EQ(world{}.complete(ack).result, admitted);
}

TEST(rfc8200_4_1, any_order_and_number_is_processed) {
    EXPECT_EQ(shape_of(with_extensions({ext::routing(0), ext::destination(), ext::routing(0), ext::destination()})),
              shape::tcp);
}

TEST(rfc8200_4_1, but_hop_by_hop_options_stand_right_behind_the_ipv6_header_only) {
    EXPECT_EQ(shape_of(with_extensions({ext::hop_by_hop(), ext::hop_by_hop()})), shape::other);
    EXPECT_EQ(met(with_extensions({ext::destination(), ext::hop_by_hop()})), passed(reason::not_tcp));
}

TEST(rfc8200_4_4, a_route_with_segments_left_leads_elsewhere_whatever_its_type) {
    for (const u8 type : {u8{0}, u8{2}, u8{3}, u8{4}, u8{253}})
        for (const u8 left : {u8{1}, u8{255}})
            EXPECT_EQ(shape_of(with_extensions({{wire::header_routing, {type, left, 0, 0, 0, 0}}})), shape::other);
}

TEST(rfc8200_4_4, such_a_route_may_fill_the_packet) {
    draft d = with_extensions({ext::routing(1)});
    d.ip_length = u16{8};
    EXPECT_EQ(shape_of(d), shape::other);
}

TEST(rfc8200_4_4, a_route_that_is_done_is_ignored_whatever_its_type) {
    for (const u8 type : {u8{0}, u8{2}, u8{3}, u8{4}, u8{253}})
        EXPECT_EQ(shape_of(with_extensions({{wire::header_routing, {type, 0, 0, 0, 0, 0}}})), shape::tcp);
}

TEST(rfc8200_4_7, no_next_header_and_unknown_ones_are_not_ours) {
    for (const int next : {50, 51, 58, 59, 135, 139, 140, 200}) {
        draft d = v6();
        d.protocol = static_cast<u8>(next);
        EXPECT_EQ(shape_of(d), shape::other) << next;
        d.extensions = {ext::hop_by_hop()};
        EXPECT_EQ(shape_of(d), shape::other) << next;
    }
}

// --- Fragments -------------------------------------------------------------------------------------------------------

TEST(rfc8200_4_5, fragments_are_told_apart) {
    const read_frame first = read(frame_of(with_extensions({ext::fragment(0, true)})));
    EXPECT_EQ(first.how, shape::tcp);
    EXPECT_TRUE(first.s.fragmented);
    for (const u32 offset : {1U, 185U, 8191U})
        for (const bool more : {false, true})
            EXPECT_EQ(shape_of(with_extensions({ext::fragment(offset, more)})), shape::other) << offset;
}

TEST(rfc8200_4_5, reserved_fields_of_a_fragment_header_mean_nothing) {
    extension x = ext::fragment(0, true);
    x.content[1] |= 6; // beside the offset
    x.length = u8{200};
    const read_frame r = read(frame_of(with_extensions({x})));
    EXPECT_EQ(r.how, shape::tcp);
    EXPECT_EQ(r.s.options_at, 14 + 40 + 8 + 20);
}

TEST(rfc8200_4_5, a_syn_behind_a_fragment_header_for_a_served_listener_is_dropped) {
    EXPECT_EQ(met(v6({.extensions = {ext::fragment(0, true)}})), dropped(reason::syn_fragment));
    EXPECT_EQ(met(v6({.extensions = {ext::destination(), ext::fragment(0, true)}})), dropped(reason::syn_fragment));
    EXPECT_EQ(met(v6({.extensions = {ext::fragment(0, true), ext::destination()}})), dropped(reason::syn_fragment));
}

TEST(rfc8200_4_5, a_fragment_completes_nothing) {
    draft ack = ack_of(linux_v6());
    ack.extensions = {ext::fragment(0, true)};
    EXPECT_EQ(world{}.complete(ack).result, passed(reason::not_a_completion));
}

// RFC 6946 would have it answered. No stack sends one any more (RFC 8021), and it must not be a way around.
TEST(rfc6946_4, a_syn_in_an_atomic_fragment_is_dropped_like_any_other_fragment) {
    EXPECT_TRUE(read(frame_of(with_extensions({ext::fragment(0, false)}))).s.fragmented);
    EXPECT_EQ(met(v6({.extensions = {ext::fragment(0, false)}})), dropped(reason::syn_fragment));
}

TEST(rfc7112_5, a_first_fragment_without_its_whole_header_chain_is_the_stacks_to_discard) {
    draft d = with_extensions({ext::fragment(0, true), ext::destination(4)});
    for (const u16 length : {u16{8}, u16{16}, u16{40}}) {
        d.ip_length = length;
        EXPECT_EQ(met(d), passed(reason::syn_malformed)) << length;
    }
}

// --- Flow label ------------------------------------------------------------------------------------------------------

TEST(rfc6437_3, the_flow_label_is_the_connections_own_where_the_host_labels) {
    world w;
    EXPECT_EQ(reply_to(v6(), w).flow_label, 0U);
    w.v6_answer.flow_label = 1;
    const reply one = reply_to(v6({.sequence = 1}), w);
    const reply two = reply_to(v6({.sequence = 2}), w);
    EXPECT_NE(one.flow_label, 0U);
    EXPECT_NE(one.flow_label, two.flow_label);
    for (u32 sequence = 0; sequence < 64; ++sequence) {
        const reply r = reply_to(v6({.sequence = sequence}), w);
        EXPECT_EQ(r.flow_label, r.sequence >> 12);
    }
    EXPECT_EQ(one.hop_limit, 64U);
}

} // namespace
} // namespace vestibule::test
