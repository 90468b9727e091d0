#include <gtest/gtest.h>

#include "control/pace.hpp"

namespace vestibule {

namespace {

using namespace std::chrono_literals;

const pace::clock::time_point start{1h};

// The share of the time that goes into asking where there is always more to ask, each time for `work`.
double share_of_time(pace::clock::duration work, pace::clock::duration time) {
    pace p;
    pace::clock::duration done{};
    auto now = start;
    while (now < start + time) {
        now += work;
        done += work;
        p.worked(work, now);
        now += p.rest(now);
    }
    return std::chrono::duration<double>(done) / std::chrono::duration<double>(now - start);
}

} // namespace

TEST(pace, a_few_changes_in_a_row_are_asked_about_at_once) {
    pace p;
    auto now = start;
    for (int i = 0; i < 5; ++i) {
        now += 50ms;
        p.worked(50ms, now);
        EXPECT_EQ(p.rest(now), 0ms);
    }
}

TEST(pace, in_the_long_run_asking_takes_a_fifth_of_the_time) {
    for (const auto work : {1ms, 20ms, 200ms, 2000ms})
        EXPECT_NEAR(share_of_time(work, 1h), 0.2, 0.002) << work.count();
}

TEST(pace, however_long_nothing_was_asked_no_more_is_granted_in_advance) {
    pace p;
    p.worked(10ms, start);
    const auto later = start + 24h;
    p.worked(1s, later);
    EXPECT_EQ(p.rest(later), 1s * 5 - 1s - pace::advance * 5);
}

} // namespace vestibule
