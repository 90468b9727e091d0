// RFC 6528 section 3: initial sequence numbers that nobody can guess. How often guesses succeed: forged.cpp.
//
// Not the adaptor's:
//   6528 3  the clock beside F - see rfc9293_3_4_sequence_numbers.cpp
//   6528 3  making and keeping the secret key - control's: derived from a secret that never leaves the machine
#include <array>

#include "test/engine/cookie_of.hpp"

namespace vestibule::test {
namespace {

class rfc6528_3 : public cookie_of {};

// Who sees many ISNs learns nothing about the next. Every bit but the key's name is a coin.
TEST_P(rfc6528_3, every_bit_looks_random) {
    constexpr int many = 8192;
    std::array<int, 32> ones{};
    for (u32 isn = 0; isn < many; ++isn) {
        segment s = syn();
        s.sequence = isn;
        const u32 c = make_cookie(some_keys, s, some_memo, our_shift);
        for (u32 bit = 0; bit < 32; ++bit)
            ones[bit] += static_cast<int>(c >> bit & 1);
    }
    EXPECT_EQ(ones[9], many);
    ones[9] = many / 2;
    for (u32 bit = 0; bit < 32; ++bit)
        EXPECT_NEAR(ones[bit], many / 2, 250) << bit; // 5.5 standard deviations
}

TEST_P(rfc6528_3, the_key_makes_the_number) {
    const u32 mine = made();
    EXPECT_NE(make_cookie(rotated(rotated(some_keys, 5), 6), syn(), some_memo, our_shift) >> 10, mine >> 10);
    key_ring keys = some_keys;
    keys.cookie[1].high ^= 1;
    EXPECT_NE(make_cookie(keys, syn(), some_memo, our_shift) >> 10, mine >> 10);
    keys = some_keys;
    keys.cookie[1].low ^= 1ULL << 63;
    EXPECT_NE(make_cookie(keys, syn(), some_memo, our_shift) >> 10, mine >> 10);
}

INSTANTIATE_TEST_SUITE_P(, rfc6528_3, testing::Bool(), family_of);

} // namespace
} // namespace vestibule::test
