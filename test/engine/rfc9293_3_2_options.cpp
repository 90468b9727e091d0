// RFC 9293 section 3.2: options, read as the kernel reads them (tcp_parse_options). What each option says is the
// business of the RFC that made it, below.
//
// Not the adaptor's:
//   3.2.2  experimental options - told apart by their identifier (RFC 6994) where one concerns a SYN; the others are
//          unknown
#include <algorithm>

#include "test/engine/judgement.hpp"

namespace vestibule::test {
namespace {

// Kinds that a reader may take notice of.
constexpr u8 known_kinds[]{2, 3, 4, 8, 19, 29, 30, 34, 254};

bool is_known(u32 kind) {
    return std::ranges::find(known_kinds, kind) != std::end(known_kinds);
}

TEST(rfc9293_3_2, none_is_no_offer) {
    const offer o = offer_of({});
    EXPECT_EQ(o.kinds, 0U);
    EXPECT_EQ(o.mss, 0U);
}

TEST(rfc9293_3_2, every_option_of_a_linux_syn_is_read) {
    const offer o = offer_of(opt::linux_syn(0xaabbccdd));
    EXPECT_EQ(o.mss, 1460U);
    EXPECT_EQ(o.shift, 7U);
    EXPECT_EQ(o.timestamp, 0xaabbccddU);
    EXPECT_EQ(o.timestamp_echo, 0U);
    EXPECT_EQ(o.kinds, offers_sack | offers_timestamps | offers_window_scale);
}

TEST(rfc9293_3_2, every_option_of_a_windows_syn_is_read) {
    const offer o = offer_of(opt::windows_syn());
    EXPECT_EQ(o.mss, 1460U);
    EXPECT_EQ(o.shift, 8U);
    EXPECT_EQ(o.kinds, offers_sack | offers_window_scale);
}

// MUST-64: options may begin on any octet.
TEST(rfc9293_3_2, nop_padding_of_any_length_is_stepped_over) {
    for (std::size_t count = 0; count <= 36; ++count)
        EXPECT_EQ(offer_of(join({opt::nop(count), opt::mss(1400)})).mss, 1400U) << count;
    for (std::size_t count = 0; count <= 30; ++count)
        EXPECT_EQ(offer_of(join({opt::nop(count), opt::timestamps(7)})).timestamp, 7U) << count;
}

TEST(rfc9293_3_2, end_of_list_ends_it) {
    EXPECT_EQ(kinds_of(join({opt::end(), opt::scale(7)})), 0U);
    EXPECT_EQ(kinds_of(join({opt::scale(7), opt::end(), opt::sack_permitted()})), offers_window_scale);
}

// MUST-69 asks senders to pad with zeros; whatever they pad with, it is no option.
TEST(rfc9293_3_2, what_follows_the_end_of_list_is_padding_whatever_it_holds) {
    const offer o = offer_of(join({opt::mss(1400), opt::end(), opt::mss(900), opt::sack_permitted(), bytes(29, 0xff)}));
    EXPECT_EQ(o.mss, 1400U);
    EXPECT_EQ(o.kinds, 0U);
}

// MUST-6.
TEST(rfc9293_3_2, unknown_kinds_are_skipped_by_their_length) {
    EXPECT_EQ(offer_of(join({opt::option(77, {}), opt::mss(1400)})).mss, 1400U);
    EXPECT_EQ(kinds_of(opt::option(77, bytes(38, 0xee))), 0U);
    for (u32 kind = 2; kind < 256; ++kind)
        if (!is_known(kind)) {
            const offer o = offer_of(join({opt::option(static_cast<u8>(kind), bytes(9, 0xee)), opt::mss(1400)}));
            EXPECT_EQ(o.mss, 1400U) << kind;
            EXPECT_EQ(o.kinds, 0U) << kind;
        }
}

// MUST-7: of any kind, known or not.
TEST(rfc9293_3_2, a_length_below_two_ends_the_parse_and_keeps_what_came_before) {
    for (u32 kind = 2; kind < 256; ++kind)
        for (const u8 length : {u8{0}, u8{1}}) {
            const offer o = offer_of(join({opt::sack_permitted(), {static_cast<u8>(kind), length}, opt::mss(1400)}));
            EXPECT_EQ(o.kinds, offers_sack) << kind;
            EXPECT_EQ(o.mss, 0U) << kind;
        }
}

TEST(rfc9293_3_2, a_length_past_the_header_ends_the_parse_and_keeps_what_came_before) {
    EXPECT_EQ(offer_of(join({opt::nop(4), {2, 5, 5, 0xb4}})).mss, 0U);
    EXPECT_EQ(offer_of({2, 41, 5, 0xb4}).mss, 0U);
    EXPECT_EQ(offer_of({77, 255, 0, 0, 2, 4, 5, 0xb4}).mss, 0U);
    for (u32 kind = 2; kind < 256; ++kind) {
        const offer o = offer_of(join({opt::mss(1400), {static_cast<u8>(kind), 9}, bytes(6, 0x10)}));
        EXPECT_EQ(o.mss, 1400U) << kind;
        EXPECT_EQ(o.kinds, 0U) << kind;
    }
}

TEST(rfc9293_3_2, an_option_may_end_with_the_header) {
    EXPECT_EQ(kinds_of(join({opt::nop(38), opt::sack_permitted()})), offers_sack);
    EXPECT_EQ(offer_of(join({opt::nop(36), opt::mss(1400)})).mss, 1400U);
}

TEST(rfc9293_3_2, a_kind_in_the_last_byte_has_no_length_and_ends_the_parse) {
    for (const u8 kind : known_kinds)
        EXPECT_EQ(kinds_of(join({opt::nop(3), {kind}})), 0U) << int{kind};
}

TEST(rfc9293_3_2, bytes_behind_the_header_are_text_and_not_read) {
    const read_frame r = read(frame_of(v4({.options = opt::nop(4), .payload = opt::mss(1400)})));
    EXPECT_EQ(r.o.mss, 0U);
}

TEST(rfc9293_3_2, an_option_that_reaches_into_the_text_ends_the_parse) {
    const read_frame r = read(frame_of(v4({.options = {1, 1, 2, 4}, .payload = two(1400)})));
    EXPECT_EQ(r.o.mss, 0U);
}

TEST(rfc9293_3_2, of_duplicated_options_the_last_counts) {
    EXPECT_EQ(offer_of(join({opt::mss(1400), opt::mss(900)})).mss, 900U);
    EXPECT_EQ(offer_of(join({opt::scale(3), opt::scale(9)})).shift, 9U);
    EXPECT_EQ(offer_of(join({opt::timestamps(1), opt::timestamps(2)})).timestamp, 2U);
}

// A jumbo frame, or a socket buffer in pages, may have only the first of its options at hand: these count.
offer offer_of_those_at_hand(const bytes& options, std::size_t length) {
    const bytes whole = frame_of(v4({.options = options}));
    bytes at_hand = part(whole, 0, 14 + 20 + 20 + length);
    frame f = span_of(at_hand);
    f.beyond = static_cast<u32>(whole.size() - at_hand.size());
    segment s{};
    EXPECT_EQ(parse(f, s), shape::tcp);
    return read_options(f, s);
}

// Options in a row, and how many bytes of each must be at hand.
const std::vector<std::pair<bytes, std::size_t>> in_a_row{
    {opt::mss(1400), 4},        {opt::scale(3), 3}, {opt::timestamps(7, 8), 10},     {opt::nop(), 1},
    {opt::sack_permitted(), 2}, {opt::nop(), 1},    {opt::fast_open_experiment(), 4}};

TEST(rfc9293_3_2, options_that_lie_elsewhere_are_not_read) {
    bytes all;
    for (const auto& [option, needed] : in_a_row)
        all = join({all, option});
    bytes before;
    for (const auto& [option, needed] : in_a_row) {
        const offer expected = offer_of(before);
        for (std::size_t length = before.size(); length < before.size() + needed; ++length) {
            const offer o = offer_of_those_at_hand(all, length);
            EXPECT_EQ(o.kinds, expected.kinds) << length;
            EXPECT_EQ(o.mss, expected.mss) << length;
            EXPECT_EQ(o.timestamp, expected.timestamp) << length;
        }
        before = join({before, option});
    }
}

// Every two bytes that options may begin with: the reader terminates and stays inside, whatever they say.
TEST(rfc9293_3_2, any_two_leading_bytes_are_survived) {
    for (u32 lead = 0; lead <= 0xffff; ++lead) {
        bytes b = join({two(lead), opt::mss(1400), {0, 0}});
        segment s{};
        s.options_length = static_cast<u8>(b.size());
        const offer o = read_options(span_of(b), s);
        ASSERT_LE(o.shift, 14U);
        ASSERT_TRUE(o.mss == 0 || o.mss == 1400 || lead >> 8 == 2 || (lead & 0xff) == 2) << lead;
    }
}

} // namespace
} // namespace vestibule::test
