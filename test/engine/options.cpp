// TCP options, read as the kernel reads them (tcp_parse_options). RFC 9293 section 3.2, RFC 7323, RFC 2018, RFC 7413, RFC
// 2385, RFC 5925, RFC 8684.
#include <gtest/gtest.h>

#include "test/engine/world.hpp"

namespace vestibule::test {
namespace {

offer offer_of(const bytes& options) {
    const read_frame r = read(frame_of(v4({.options = options})));
    EXPECT_EQ(r.how, shape::tcp);
    return r.o;
}

u32 kinds_of(const bytes& options) {
    return offer_of(options).kinds;
}

TEST(options_rfc9293_section_3_2, none_is_no_offer) {
    const offer o = offer_of({});
    EXPECT_EQ(o.kinds, 0U);
    EXPECT_EQ(o.mss, 0U);
}

TEST(options_rfc9293_section_3_2, every_option_of_a_linux_syn_is_read) {
    const offer o = offer_of(opt::linux_syn(0xaabbccdd));
    EXPECT_EQ(o.mss, 1460U);
    EXPECT_EQ(o.shift, 7U);
    EXPECT_EQ(o.timestamp, 0xaabbccddU);
    EXPECT_EQ(o.timestamp_echo, 0U);
    EXPECT_EQ(o.kinds, offers_sack | offers_timestamps | offers_window_scale);
}

TEST(options_rfc9293_section_3_2, every_option_of_a_windows_syn_is_read) {
    const offer o = offer_of(opt::windows_syn());
    EXPECT_EQ(o.mss, 1460U);
    EXPECT_EQ(o.shift, 8U);
    EXPECT_EQ(o.kinds, offers_sack | offers_window_scale);
}

TEST(options_rfc9293_section_3_2, nop_padding_of_any_length_is_stepped_over) {
    for (std::size_t count = 0; count <= 36; ++count)
        EXPECT_EQ(offer_of(join({opt::nop(count), opt::mss(1400)})).mss, 1400U) << count;
}

TEST(options_rfc9293_section_3_2, end_of_list_ends_it) {
    EXPECT_EQ(kinds_of(join({opt::end(), opt::scale(7)})), 0U);
    EXPECT_EQ(kinds_of(join({opt::scale(7), opt::end(), opt::sack_permitted()})), offers_window_scale);
}

TEST(options_rfc9293_section_3_2, unknown_kinds_are_skipped_by_their_length) {
    EXPECT_EQ(offer_of(join({opt::option(77, bytes(9, 0xee)), opt::mss(1400)})).mss, 1400U);
    EXPECT_EQ(offer_of(join({opt::option(77, {}), opt::mss(1400)})).mss, 1400U);
    EXPECT_EQ(kinds_of(opt::option(77, bytes(38, 0xee))), 0U);
}

TEST(options_rfc9293_section_3_2, a_length_below_two_ends_the_parse_and_keeps_what_came_before) {
    for (const u8 length : {u8{0}, u8{1}}) {
        const offer o = offer_of(join({opt::sack_permitted(), {77, length}, opt::mss(1400)}));
        EXPECT_EQ(o.kinds, offers_sack);
        EXPECT_EQ(o.mss, 0U);
    }
}

TEST(options_rfc9293_section_3_2, a_length_past_the_header_ends_the_parse) {
    EXPECT_EQ(offer_of(join({opt::nop(4), {2, 5, 5, 0xb4}})).mss, 0U);
    EXPECT_EQ(offer_of({2, 41, 5, 0xb4}).mss, 0U);
    EXPECT_EQ(offer_of({77, 255, 0, 0, 2, 4, 5, 0xb4}).mss, 0U);
}

TEST(options_rfc9293_section_3_2, a_kind_in_the_last_byte_has_no_length_and_ends_the_parse) {
    for (const u8 kind : {u8{2}, u8{3}, u8{4}, u8{8}, u8{34}, u8{77}})
        EXPECT_EQ(kinds_of(join({opt::nop(3), {kind}})), 0U);
}

TEST(options_rfc9293_section_3_2, bytes_behind_the_header_are_payload_and_not_read) {
    const read_frame r = read(frame_of(v4({.options = opt::nop(4), .payload = opt::mss(1400)})));
    EXPECT_EQ(r.o.mss, 0U);
}

TEST(options_rfc9293_section_3_2, an_option_that_reaches_into_the_payload_ends_the_parse) {
    const read_frame r = read(frame_of(v4({.options = {1, 1, 2, 4}, .payload = two(1400)})));
    EXPECT_EQ(r.o.mss, 0U);
}

TEST(options_rfc9293_section_3_7_1, mss_counts_only_with_its_own_length) {
    EXPECT_EQ(offer_of(opt::option(2, {5})).mss, 0U);
    EXPECT_EQ(offer_of(opt::option(2, {5, 0xb4, 0})).mss, 0U);
    EXPECT_EQ(offer_of(opt::mss(65535)).mss, 65535U);
    EXPECT_EQ(offer_of(opt::mss(1)).mss, 1U);
}

TEST(options_rfc9293_section_3_7_1, mss_0_is_no_offer_and_undoes_none) {
    EXPECT_EQ(offer_of(opt::mss(0)).mss, 0U);
    EXPECT_EQ(offer_of(join({opt::mss(1400), opt::mss(0)})).mss, 1400U);
}

TEST(options_rfc9293_section_3_2, of_duplicated_options_the_last_counts) {
    EXPECT_EQ(offer_of(join({opt::mss(1400), opt::mss(900)})).mss, 900U);
    EXPECT_EQ(offer_of(join({opt::scale(3), opt::scale(9)})).shift, 9U);
    EXPECT_EQ(offer_of(join({opt::timestamps(1), opt::timestamps(2)})).timestamp, 2U);
}

TEST(options_rfc7323_section_2_3, shift_counts_over_14_are_14) {
    EXPECT_EQ(offer_of(opt::scale(14)).shift, 14U);
    EXPECT_EQ(offer_of(opt::scale(15)).shift, 14U);
    EXPECT_EQ(offer_of(opt::scale(255)).shift, 14U);
    EXPECT_EQ(offer_of(opt::scale(0)).kinds, offers_window_scale);
}

TEST(options_rfc7323_section_2_2, window_scale_counts_only_with_its_own_length) {
    EXPECT_EQ(kinds_of(opt::option(3, {})), 0U);
    EXPECT_EQ(kinds_of(opt::option(3, {7, 7})), 0U);
}

TEST(options_rfc7323_section_3_2, timestamps_count_only_with_their_own_length) {
    EXPECT_EQ(kinds_of(opt::option(8, bytes(7, 1))), 0U);
    EXPECT_EQ(kinds_of(opt::option(8, bytes(9, 1))), 0U);
    const offer o = offer_of(opt::timestamps(0, 0x55667788));
    EXPECT_EQ(o.kinds, offers_timestamps);
    EXPECT_EQ(o.timestamp_echo, 0x55667788U);
}

TEST(options_rfc2018_section_2, sack_permitted_counts_only_with_its_own_length) {
    EXPECT_EQ(kinds_of(opt::sack_permitted()), offers_sack);
    EXPECT_EQ(kinds_of(opt::option(4, {0})), 0U);
}

TEST(options_rfc2018_section_3, sack_blocks_are_not_sack_permitted) {
    EXPECT_EQ(kinds_of(opt::option(5, bytes(8, 1))), 0U);
}

TEST(options_rfc7413_section_2, fast_open_is_seen_as_request_cookie_and_experiment) {
    EXPECT_EQ(kinds_of(opt::fast_open_request()), offers_fast_open);
    EXPECT_EQ(kinds_of(opt::fast_open_cookie()), offers_fast_open);
    EXPECT_EQ(kinds_of(opt::fast_open_experiment()), offers_fast_open);
    EXPECT_EQ(kinds_of(opt::option(254, two(0xe2d4))), 0U); // another experiment
    EXPECT_EQ(kinds_of(opt::option(254, {0xf9})), 0U);
}

TEST(options_rfc2385_rfc5925, signatures_are_seen) {
    EXPECT_EQ(kinds_of(opt::md5()), offers_signature);
    EXPECT_EQ(kinds_of(opt::authentication()), offers_signature);
}

TEST(options_rfc8684_section_3, joins_are_told_from_other_multipath_offers) {
    EXPECT_EQ(kinds_of(opt::multipath_join()), offers_join);
    EXPECT_EQ(kinds_of(opt::multipath_capable()), 0U);
    EXPECT_EQ(kinds_of(opt::option(30, {0x10})), 0U); // no room for a subtype's own fields
}

// Every byte string of this length that a header can hold: the reader terminates and stays inside, whatever they say.
TEST(options_rfc9293_section_3_2, any_two_leading_bytes_are_survived) {
    for (u32 lead = 0; lead <= 0xffff; ++lead) {
        const bytes options = join({two(lead), opt::mss(1400), {0, 0}});
        bytes b = options;
        segment s{};
        s.options_length = static_cast<u8>(b.size());
        const offer o = read_options(span_of(b), s);
        ASSERT_LE(o.shift, 14U);
        ASSERT_TRUE(o.mss == 0 || o.mss == 1400 || lead >> 8 == 2 || (lead & 0xff) == 2) << lead;
    }
}

// --- The usual blocks, read at once, and the general way ---

struct both_ways {
    bool taken; // the usual way knew the block
    offer usual;
    offer general;
};

both_ways read_both_ways(const bytes& options) {
    bytes f = frame_of(v4({.options = options}));
    segment s{};
    const frame view{f.data(), f.data() + f.size()};
    EXPECT_EQ(parse(view, s), shape::tcp);
    both_ways b{};
    b.taken = reading::usual_block(view.begin + s.options_at, s.options_length, view.end, b.usual);
    b.general = read_each_option(view, s);
    return b;
}

void expect_same(const both_ways& b) {
    EXPECT_EQ(b.usual.kinds, b.general.kinds);
    EXPECT_EQ(b.usual.mss, b.general.mss);
    EXPECT_EQ(b.usual.shift, b.general.shift);
    EXPECT_EQ(b.usual.timestamp, b.general.timestamp);
    EXPECT_EQ(b.usual.timestamp_echo, b.general.timestamp_echo);
}

TEST(options_usual_blocks, are_read_at_once) {
    EXPECT_TRUE(read_both_ways(opt::linux_syn(1)).taken);
    EXPECT_TRUE(read_both_ways({1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}).taken);
}

TEST(options_usual_blocks, say_what_the_general_way_says_whatever_single_byte_is_changed) {
    const bytes aligned{1, 1, 8, 10, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};
    for (const bytes& block : {opt::linux_syn(0xaabbccdd), aligned})
        for (std::size_t at = 0; at < block.size(); ++at)
            for (unsigned value = 0; value < 256; ++value) {
                bytes changed = block;
                changed[at] = static_cast<u8>(value);
                if (const both_ways b = read_both_ways(changed); b.taken)
                    expect_same(b);
            }
}

} // namespace
} // namespace vestibule::test
