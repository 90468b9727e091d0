// The Internet checksum: RFC 1071.
//
// Not the adaptor's:
//   1071 2(A)  odd bytes at the end - what is summed here are whole words: headers without text
//   1624 3     incremental update - a reply is summed anew
#include <gtest/gtest.h>

#include <random>

#include "test/engine/world.hpp"

namespace vestibule::test {
namespace {

// folded() speaks of 16 bits as they lie in memory.
u32 fast(const bytes& words) {
    u64 sum = 0;
    for (std::size_t i = 0; i < words.size(); i += 4)
        sum += sum_words(words.data() + i, 1);
    return host(be16{folded(sum)});
}

TEST(rfc1071_3, the_example_of_the_rfc) {
    const bytes example{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    EXPECT_EQ(internet_checksum(example), 0x220dU);
    EXPECT_EQ(fast(example), 0x220dU);
}

TEST(rfc1071_1, carries_come_back_however_many) {
    EXPECT_EQ(fast(bytes(60, 0xff)), 0U);
    EXPECT_EQ(fast(bytes(60, 0x00)), 0xffffU);
    EXPECT_EQ(folded(~0ULL), 0U);
    EXPECT_EQ(host(be16{folded(0xffffffff00000001ULL)}), 0xfeffU); // one of them stays
}

TEST(rfc1071_1, agrees_with_the_slow_sum_on_random_words) {
    std::mt19937 random(2);
    for (int i = 0; i < 5000; ++i) {
        bytes words(static_cast<std::size_t>(4 + 4 * (i % 15)));
        for (u8& b : words)
            b = static_cast<u8>(random());
        ASSERT_EQ(fast(words), internet_checksum(words));
    }
}

} // namespace
} // namespace vestibule::test
