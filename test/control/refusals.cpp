#include <gtest/gtest.h>

#include "control/refusals.hpp"
#include "test/control/endpoints.hpp"

namespace vestibule {

namespace {

const endpoint here = endpoint_at(80);
constexpr u64 hour_ms = 3'600'000;

// How often a listener whose every handoff is refused is tried while the packet filter changes ten times a second.
int times_tried(u64 time_ms) {
    refusals r;
    int tried = 0;
    bool given_up = false;
    for (u64 now = hour_ms; now < hour_ms + time_ms; now += 100) {
        r.filter_changed();
        if (given_up && !r.may_try_again(here, now))
            continue;
        ++tried;
        given_up = r.is_final(here, true, now);
    }
    return tried;
}

} // namespace

TEST(refusals, one_is_final_unless_the_packet_filter_has_just_changed) {
    refusals r;
    EXPECT_TRUE(r.is_final(endpoint_at(1), false, 1000));
    EXPECT_FALSE(r.is_final(here, true, 1000));
    EXPECT_TRUE(r.is_final(here, true, 1100));
}

TEST(refusals, a_change_of_the_packet_filter_gives_another_chance_and_time_alone_none) {
    refusals r;
    EXPECT_TRUE(r.is_final(here, false, 1000));
    EXPECT_FALSE(r.may_try_again(here, 1000 + hour_ms));
    r.filter_changed();
    EXPECT_TRUE(r.may_try_again(here, 1001));
}

TEST(refusals, who_refuses_again_waits_twice_as_long_each_time) {
    refusals r;
    u64 now = 1000;
    r.is_final(here, false, now);
    for (u64 wait = refusals::first_wait_ms; wait < refusals::longest_wait_ms; wait *= 2) {
        r.is_final(here, true, now);
        r.filter_changed();
        EXPECT_FALSE(r.may_try_again(here, now + wait - 1));
        now += wait;
        EXPECT_TRUE(r.may_try_again(here, now));
    }
}

TEST(refusals, a_change_while_waiting_counts_when_the_wait_is_over) {
    refusals r;
    r.is_final(here, false, 1000);
    r.is_final(here, false, 2000);
    r.filter_changed();
    EXPECT_FALSE(r.may_try_again(here, 3000));
    EXPECT_TRUE(r.may_try_again(here, 2000 + refusals::first_wait_ms));
}

TEST(refusals, nobody_waits_longer_than_an_hour_however_often_it_was_tried) {
    refusals r;
    u64 now = 1000;
    for (int i = 0; i < 100; ++i)
        r.is_final(here, false, now);
    r.filter_changed();
    EXPECT_TRUE(r.may_try_again(here, now + refusals::longest_wait_ms));
    EXPECT_FALSE(r.may_try_again(here, now + refusals::longest_wait_ms - 1));
}

TEST(refusals, a_filter_that_never_rests_costs_a_refusing_listener_few_peers) {
    EXPECT_LE(times_tried(hour_ms), 12);
    EXPECT_LE(times_tried(24 * hour_ms), 36);
}

} // namespace vestibule
