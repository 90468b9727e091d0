// Frame -> segment: IEEE 802.1Q, RFC 791, RFC 8200, RFC 9293 section 3.1.
#include <gtest/gtest.h>

#include "test/engine/world.hpp"

namespace vestibule::test {
namespace {

shape shape_of(const draft& d) {
    return read(frame_of(d)).how;
}

draft with_tags(std::vector<tag> tags) {
    draft d = v4();
    d.tags = std::move(tags);
    return d;
}

draft with_extensions(std::vector<extension> extensions) {
    draft d = v6({.options = opt::linux_syn()});
    d.extensions = std::move(extensions);
    return d;
}

// --- The link ---------------------------------------------------------------------------------------------------------

TEST(parse_link, untagged_frames_carry_identifier_0) {
    const read_frame r = read(frame_of(v4()));
    ASSERT_EQ(r.how, shape::tcp);
    EXPECT_EQ(r.s.vlan.outer, 0);
    EXPECT_EQ(r.s.vlan.inner, 0);
    EXPECT_EQ(r.s.network_at, 14);
}

TEST(parse_link, ieee_802_1q_identifier_is_the_low_twelve_bits) {
    const read_frame r = read(frame_of(with_tags({{0xf005}})));
    ASSERT_EQ(r.how, shape::tcp);
    EXPECT_EQ(r.s.vlan.outer, 5);
    EXPECT_EQ(r.s.network_at, 18);
}

TEST(parse_link, ieee_802_1ad_two_tags_are_walked) {
    const read_frame r = read(frame_of(with_tags({{0x0064, 0x88a8}, {0x0005, 0x8100}})));
    ASSERT_EQ(r.how, shape::tcp);
    EXPECT_EQ(r.s.vlan.outer, 100);
    EXPECT_EQ(r.s.vlan.inner, 5);
    EXPECT_EQ(r.s.network_at, 22);
}

TEST(parse_link, three_tags_are_too_many) {
    EXPECT_EQ(shape_of(with_tags({{1}, {2}, {3}})), shape::deep_tags);
}

TEST(parse_link, a_tag_that_the_driver_stripped_counts_as_the_outer_one) {
    const read_frame one = read(frame_of(v4()), {7, 0});
    EXPECT_EQ(one.how, shape::tcp);
    EXPECT_EQ(one.s.vlan.outer, 7);
    const read_frame two = read(frame_of(with_tags({{5}})), {7, 0});
    EXPECT_EQ(two.how, shape::tcp);
    EXPECT_EQ(two.s.vlan.outer, 7);
    EXPECT_EQ(two.s.vlan.inner, 5);
    EXPECT_EQ(read(frame_of(with_tags({{5}, {6}})), {7, 0}).how, shape::deep_tags);
}

TEST(parse_link, other_ethertypes_are_not_ours) {
    EXPECT_EQ(shape_of(v4({.type = u16{0x0806}})), shape::other);
    EXPECT_EQ(shape_of(v4({.type = u16{0x0040}})), shape::other); // 802.3 length
}

// --- IPv4 -------------------------------------------------------------------------------------------------------------

TEST(parse_rfc791, fields_are_read) {
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

TEST(parse_rfc791, options_of_every_length_are_stepped_over) {
    for (std::size_t words = 0; words <= 10; ++words) {
        const read_frame r = read(frame_of(v4({.ip_options = bytes(4 * words, 1)})));
        ASSERT_EQ(r.how, shape::tcp) << words;
        EXPECT_EQ(host(r.s.destination_port), 80);
    }
}

TEST(parse_rfc791, version_and_header_length_must_agree_with_themselves) {
    EXPECT_EQ(shape_of(v4({.version_length = u8{0x44}})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.version_length = u8{0x55}})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.version_length = u8{0x65}})), shape::malformed);
}

TEST(parse_rfc791, total_length_must_hold_the_headers) {
    EXPECT_EQ(shape_of(v4({.ip_length = u16{19}})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.ip_length = u16{39}})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.ip_length = u16{40}})), shape::tcp);
}

TEST(parse_rfc791, a_wrong_header_checksum_is_malformed) {
    EXPECT_EQ(shape_of(v4({.ip_checksum = u16{0x1234}})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.ip_options = bytes(8, 1), .ip_checksum = u16{0x1234}})), shape::malformed);
}

TEST(parse_rfc791, padding_behind_the_packet_is_no_payload) {
    const read_frame r = read(frame_of(v4({.payload = bytes(3, 'x'), .trailer = bytes(6, 0)})));
    ASSERT_EQ(r.how, shape::tcp);
    EXPECT_EQ(r.s.payload_length, 3);
}

TEST(parse_rfc791, first_fragments_are_told_apart_and_later_ones_are_no_segments) {
    const read_frame first = read(frame_of(v4({.fragment = 0x2000})));
    EXPECT_EQ(first.how, shape::tcp);
    EXPECT_TRUE(first.s.fragmented);
    EXPECT_EQ(shape_of(v4({.fragment = 0x2001})), shape::other);
    EXPECT_EQ(shape_of(v4({.fragment = 0x0001})), shape::other);
    EXPECT_FALSE(read(frame_of(v4({.fragment = 0x4000}))).s.fragmented);
}

TEST(parse_rfc1858_section_3, a_first_fragment_too_short_for_its_flags_is_taken_for_a_syn) {
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

TEST(parse_rfc791, other_protocols_are_not_ours) {
    EXPECT_EQ(shape_of(v4({.protocol = 17})), shape::other);
    EXPECT_EQ(shape_of(v4({.protocol = 1})), shape::other);
}

// --- IPv6 -------------------------------------------------------------------------------------------------------------

TEST(parse_rfc8200, fields_are_read) {
    const read_frame r = read(frame_of(v6({.traffic_class = 0xba, .options = opt::linux_syn()})));
    ASSERT_EQ(r.how, shape::tcp);
    EXPECT_TRUE(same(r.s.source, ip("2001:db8::7")));
    EXPECT_TRUE(same(r.s.destination, ip("2001:db8::1")));
    EXPECT_EQ(r.s.ecn, 2);
    EXPECT_TRUE(r.s.v6);
    EXPECT_EQ(r.s.options_at, 14 + 40 + 20);
}

TEST(parse_rfc8200, version_must_be_6) {
    EXPECT_EQ(shape_of(v6({.version_length = u8{0x40}})), shape::malformed);
}

TEST(parse_rfc8200, payload_length_must_hold_the_tcp_header) {
    EXPECT_EQ(shape_of(v6({.ip_length = u16{19}})), shape::malformed);
    EXPECT_EQ(shape_of(v6({.ip_length = u16{0}})), shape::malformed);
    EXPECT_EQ(shape_of(v6({.ip_length = u16{20}})), shape::tcp);
}

TEST(parse_rfc8200, section_4_extension_headers_are_stepped_over) {
    const read_frame r = read(frame_of(with_extensions({ext::hop_by_hop(), ext::destination(3), ext::routing(0)})));
    ASSERT_EQ(r.how, shape::tcp);
    EXPECT_EQ(host(r.s.destination_port), 80);
    EXPECT_EQ(r.s.options_at, 14 + 40 + 8 + 24 + 8 + 20);
    EXPECT_EQ(r.o.mss, 1460U);
    EXPECT_FALSE(r.s.fragmented);
}

TEST(parse_rfc8200, eight_extension_headers_are_walked_and_nine_are_too_many) {
    EXPECT_EQ(shape_of(with_extensions({8, ext::destination()})), shape::tcp);
    EXPECT_EQ(shape_of(with_extensions({9, ext::destination()})), shape::deep_headers);
}

TEST(parse_rfc8200, the_longest_extension_headers_are_walked) {
    const read_frame r = read(frame_of(with_extensions({8, ext::destination(256)})));
    ASSERT_EQ(r.how, shape::tcp);
    EXPECT_EQ(r.s.options_at, 14 + 40 + 8 * 2048 + 20);
}

TEST(parse_rfc8200, section_4_4_a_route_with_segments_left_leads_elsewhere) {
    EXPECT_EQ(shape_of(with_extensions({ext::routing(1)})), shape::other);
}

TEST(parse_rfc8200, section_4_5_fragments_are_told_apart) {
    const read_frame first = read(frame_of(with_extensions({ext::fragment(0, true)})));
    EXPECT_EQ(first.how, shape::tcp);
    EXPECT_TRUE(first.s.fragmented);
    const read_frame atomic = read(frame_of(with_extensions({ext::fragment(0, false)}))); // RFC 6946
    EXPECT_TRUE(atomic.s.fragmented);
    EXPECT_EQ(shape_of(with_extensions({ext::fragment(185, true)})), shape::other);
    EXPECT_EQ(shape_of(with_extensions({ext::fragment(185, false)})), shape::other);
}

TEST(parse_rfc8200, section_4_7_no_next_header_and_unknown_ones_are_not_ours) {
    draft d = v6();
    d.protocol = 59;
    EXPECT_EQ(shape_of(d), shape::other);
    d.extensions = {ext::hop_by_hop()};
    EXPECT_EQ(shape_of(d), shape::other);
    d.protocol = 50; // ESP
    EXPECT_EQ(shape_of(d), shape::other);
}

TEST(parse_rfc8200, an_extension_header_longer_than_the_packet_is_malformed) {
    EXPECT_EQ(shape_of(with_extensions({{wire::header_destination, bytes(6, 0), u8{200}}})), shape::malformed);
}

// --- TCP --------------------------------------------------------------------------------------------------------------

TEST(parse_rfc9293_section_3_1, data_offset_must_hold_the_header_and_fit_the_packet) {
    EXPECT_EQ(shape_of(v4({.data_offset = u8{4}})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.data_offset = u8{6}})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.data_offset = u8{15}, .options = bytes(36, 1)})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.options = bytes(40, 1)})), shape::tcp);
}

TEST(parse_rfc9293_section_3_1, flags_and_the_ae_bit_are_read) {
    const read_frame r = read(frame_of(v4({.flags = wire::syn | wire::ece | wire::cwr, .reserved = 1})));
    EXPECT_EQ(r.s.flags, wire::syn | wire::ece | wire::cwr);
    EXPECT_TRUE(r.s.accurate);
    EXPECT_FALSE(read(frame_of(v4({.reserved = 0x0e}))).s.accurate);
}

TEST(parse_rfc9293_section_3_1, payload_is_what_follows_the_header) {
    const read_frame r = read(frame_of(v6({.options = opt::linux_syn(), .payload = bytes(77, 'x')})));
    EXPECT_EQ(r.s.payload_length, 77);
}

// --- Frames cut short -------------------------------------------------------------------------------------------------

class cut_short : public testing::TestWithParam<bool> {};

TEST_P(cut_short, at_any_byte_is_never_read_past_its_end) {
    draft d = GetParam() ? with_extensions({ext::hop_by_hop(), ext::fragment(0, true), ext::routing(0)})
                         : v4({.ip_options = bytes(40, 1), .options = bytes(40, 1)});
    d.tags = {{5, 0x88a8}, {6, 0x8100}};
    const bytes whole = frame_of(d);
    const std::size_t headers = whole.size() - drafting::tcp(d).size() + 20;
    for (std::size_t length = 0; length < headers; ++length)
        EXPECT_EQ(read(truncated(whole, length)).how, shape::malformed) << length;
}

TEST_P(cut_short, inside_the_tcp_options_is_malformed) {
    const draft d = GetParam() ? v6({.options = opt::linux_syn()}) : v4({.options = opt::linux_syn()});
    const bytes whole = frame_of(d);
    for (std::size_t length = whole.size() - 20; length < whole.size(); ++length)
        EXPECT_EQ(read(truncated(whole, length)).how, shape::malformed) << length;
}

INSTANTIATE_TEST_SUITE_P(parse, cut_short, testing::Bool(), [](const auto& info) { return info.param ? "v6" : "v4"; });

} // namespace
} // namespace vestibule::test
