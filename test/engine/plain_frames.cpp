// Plain frames, read in a copy of the functions that read any: both must say the same.
#include <cstring>

#include "test/engine/judgement.hpp"

namespace vestibule::test {
namespace {

struct both_ways {
    bool plain;
    bool alike; // in every byte of the segment
};

both_ways read_both_ways(bytes b) {
    segment plain;
    segment any;
    std::memset(&plain, 0, sizeof(plain));
    std::memset(&any, 0, sizeof(any));
    const bool is_plain = parse_plain(span_of(b), plain);
    const bool is_tcp = parse(span_of(b), any) == shape::tcp;
    return {is_plain, is_tcp && std::memcmp(&plain, &any, sizeof(any)) == 0};
}

TEST(plain_frames, are_untagged_ipv4_without_options) {
    EXPECT_TRUE(read_both_ways(frame_of(v4({.options = opt::linux_syn()}))).plain);
    EXPECT_TRUE(read_both_ways(frame_of(v4({.payload = bytes(100, 'x')}))).plain);
    EXPECT_FALSE(read_both_ways(frame_of(v4({.ip_options = bytes(4, 1)}))).plain);
    EXPECT_FALSE(read_both_ways(frame_of(v6({}))).plain);
}

TEST(plain_frames, are_read_like_any_whatever_single_byte_is_changed) {
    const bytes whole = frame_of(v4({.options = opt::linux_syn(0xaabbccdd), .payload = bytes(4, 'x')}));
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (unsigned value = 0; value < 256; ++value) {
            const both_ways r = read_both_ways(with_byte(whole, at, static_cast<u8>(value)));
            EXPECT_TRUE(!r.plain || r.alike) << at << ' ' << value;
        }
}

TEST(plain_frames, are_read_like_any_wherever_they_end) {
    const bytes whole = frame_of(v4({.options = opt::linux_syn(), .payload = bytes(40, 'x')}));
    for (std::size_t length = 0; length < whole.size(); ++length)
        EXPECT_FALSE(read_both_ways(truncated(whole, length)).plain) << length;
}

} // namespace
} // namespace vestibule::test
