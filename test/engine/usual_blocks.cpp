// The usual option blocks, read at once, and the general way: both must say the same.
#include "test/engine/judgement.hpp"

namespace vestibule::test {
namespace {

// Whether options of this length are read at once in a frame that ends after `held` bytes of them.
bool is_usual(const bytes& block, std::size_t held) {
    bytes b = truncated(block, held);
    segment s{};
    s.options_length = static_cast<u8>(block.size());
    offer o{};
    return read_usual_options(span_of(b), s, o);
}

void expect_same_both_ways(const bytes& options) {
    bytes b = frame_of(v4({.options = options}));
    segment s{};
    ASSERT_EQ(parse(span_of(b), s), shape::tcp);
    const offer usual = read_options(span_of(b), s);
    offer general{};
    read_each_option(span_of(b), s, general);
    EXPECT_EQ(usual.kinds, general.kinds);
    EXPECT_EQ(usual.mss, general.mss);
    EXPECT_EQ(usual.shift, general.shift);
    EXPECT_EQ(usual.timestamp, general.timestamp);
    EXPECT_EQ(usual.timestamp_echo, general.timestamp_echo);
}

TEST(usual_blocks, are_read_at_once) {
    for (const bytes& block : {opt::linux_syn(1), opt::stamped(1, 2)})
        EXPECT_TRUE(is_usual(block, block.size()));
}

TEST(usual_blocks, are_not_taken_where_the_frame_ends_inside_them) {
    for (const bytes& block : {opt::linux_syn(1), opt::stamped(1, 2)})
        for (std::size_t length = 0; length < block.size(); ++length)
            EXPECT_FALSE(is_usual(block, length)) << length;
}

TEST(usual_blocks, say_what_the_general_way_says_whatever_single_byte_is_changed) {
    for (const bytes& block : {opt::linux_syn(0xaabbccdd), opt::stamped(0x11223344, 0x55667788)})
        for (std::size_t at = 0; at < block.size(); ++at)
            for (unsigned value = 0; value < 256; ++value)
                expect_same_both_ways(with_byte(block, at, static_cast<u8>(value)));
}

} // namespace
} // namespace vestibule::test
