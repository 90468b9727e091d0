#include <gtest/gtest.h>

#include "control/silences.hpp"
#include "test/control/endpoints.hpp"

namespace vestibule {

namespace {

const endpoint here = endpoint_at(80);

} // namespace

TEST(silences, one_is_believed_after_several_times_and_some_seconds) {
    silences s;
    u64 now = 1000;
    int times = 1;
    while (!s.confirmed(here, now)) {
        EXPECT_TRUE(s.doubted(here));
        now += 1000;
        ++times;
    }
    EXPECT_EQ(times, silences::enough);
    EXPECT_FALSE(s.doubted(here));
}

TEST(silences, many_in_one_moment_are_not_enough) {
    silences s;
    for (int i = 0; i < 100; ++i)
        EXPECT_FALSE(s.confirmed(here, 1000));
}

TEST(silences, nor_are_two_that_lie_far_apart) {
    silences s;
    EXPECT_FALSE(s.confirmed(here, 1000));
    EXPECT_FALSE(s.confirmed(here, 100'000));
}

TEST(silences, whoever_speaks_between_begins_anew) {
    silences s;
    for (u64 now = 0; now < 100'000; now += 1000) {
        EXPECT_FALSE(s.confirmed(here, now));
        if (now % 3000 == 0)
            s.end(here);
    }
}

TEST(silences, each_listener_is_doubted_for_itself) {
    silences s;
    for (u16 port = 1; port < 20; ++port)
        EXPECT_FALSE(s.confirmed(endpoint_at(port), port * 1000U));
    EXPECT_EQ(s.all_doubted().size(), 19U);
}

} // namespace vestibule
