// The strangers on whose behalf a rehearsal asks.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "control/sources.hpp"

namespace vestibule {

namespace {

constexpr int often = 2000;

u32 v4_of(const address& a) {
    return host(a.word[3]);
}

} // namespace

TEST(strangers, none_can_be_foretold) {
    std::set<address, address_order> met;
    int drawn = 0;
    for (int i = 0; i < often; ++i)
        for (const address& a : draw_strangers()) {
            met.insert(a);
            ++drawn;
        }
    EXPECT_GT(met.size(), drawn * 0.99);
}

TEST(strangers, there_are_as_many_of_either_family) {
    const auto drawn = draw_strangers();
    EXPECT_EQ(std::count_if(drawn.begin(), drawn.end(), is_v4), 3);
    EXPECT_EQ(drawn.size(), 6U);
}

TEST(strangers, all_are_of_public_space) {
    for (int i = 0; i < often; ++i)
        for (const address& a : draw_strangers()) {
            if (!is_v4(a)) {
                EXPECT_EQ(host(a.word[0]) >> 29, 1U); // 2000::/3
                continue;
            }
            const u32 v4 = v4_of(a);
            EXPECT_TRUE(v4 >> 24 != 0 && v4 >> 24 != 10 && v4 >> 24 != 127 && v4 < 0xe0000000U) << std::hex << v4;
            EXPECT_TRUE(v4 >> 20 != 0xac1 && v4 >> 16 != 0xc0a8 && v4 >> 16 != 0xa9fe) << std::hex << v4;
        }
}

TEST(strangers, they_come_from_all_over_it) {
    std::set<u32> first_octets;
    for (int i = 0; i < often; ++i)
        for (const address& a : draw_strangers())
            if (is_v4(a))
                first_octets.insert(v4_of(a) >> 24);
    EXPECT_GT(first_octets.size(), 200U);
}

} // namespace vestibule
