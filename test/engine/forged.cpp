// Forged ACKs: RFC 4987 section 3.6, RFC 5961 section 5. Who never saw the SYN-ACK must guess the cookie, and the real check
// is asked how often that works. Randomness is seeded: the numbers are the same in every run of the same engine.
//
// Not the adaptor's:
//   5961 5  the range of acceptable ACKs - of connections, the stack's; of ours one number is acceptable
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <string>

#include "test/engine/cookie_of.hpp"

namespace vestibule::test {
namespace {

class rfc5961_5 : public cookie_of {};

// Whoever guesses has one chance in 2^22 for each key and memo, no more and no less.
TEST_P(rfc5961_5, of_all_macs_exactly_one_is_taken) {
    const segment s = syn();
    const u32 packed = cookies::pack(some_memo);
    int taken = 0;
    for (u32 mac = 0; mac < 1U << 22; ++mac)
        taken += holds(some_keys, acknowledging(s, mac << 10 | 1U << 9 | (packed ^ (mac & 0x1ff))));
    EXPECT_EQ(taken, 1);
}

INSTANTIATE_TEST_SUITE_P(, rfc5961_5, testing::Bool(), family_of);

constexpr u64 attacks = 50'000'000;

// SplitMix64 (Steele, Lea, Flood 2014).
struct random_source {
    u64 state;
    u64 next() {
        u64 z = (state += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
};

// A host that finds its answer without searching: the attacks are many.
struct open_door {
    answer a = some_answer();
    const answer* answer_for(const endpoint&) const { return &a; }
};

struct results {
    u64 admitted = 0;
    u64 lost = 0;
    u64 invalid = 0;
};

void count(results& r, const outcome& o) {
    r.admitted += o.why == reason::admitted;
    r.lost += o.why == reason::first_segments_lost;
    r.invalid += o.why == reason::cookie_invalid;
}

// An ACK of random numbers from a random port of the same peer.
results attack(const draft& d, u64 times, bool timestamps, const open_door& door = {}) {
    const world w;
    random_source random{timestamps ? 7U : 6U};
    segment s = read(frame_of(d)).s;
    s.flags = wire::ack;
    offer o{};
    o.kinds = timestamps ? u32{offers_timestamps} : 0U;
    results r;
    for (u64 i = 0; i < times; ++i) {
        const u64 numbers = random.next();
        const u64 more = random.next();
        s.sequence = static_cast<u32>(numbers);
        s.acknowledgment = static_cast<u32>(numbers >> 32);
        s.source_port = be16{static_cast<u16>(more)};
        o.timestamp_echo = static_cast<u32>(more >> 16);
        established e{};
        count(r, judge_completion(s, o, w.socket, w.moment(), door, e));
    }
    EXPECT_EQ(r.admitted + r.lost + r.invalid, times);
    return r;
}

// Of a count with this mean, anything further off has a chance below one in a million.
void expect_about(u64 seen, double mean) {
    const double deviation = std::sqrt(mean);
    EXPECT_LE(static_cast<double>(seen), mean + 6 * deviation + 6);
    EXPECT_GE(static_cast<double>(seen), mean > 40 ? mean - 5 * deviation : mean > 11 ? 1 : 0);
    testing::Test::RecordProperty("seen", std::to_string(seen));
    std::cout << seen << " seen, " << mean << " expected\n";
}

TEST(rfc5961_5_forged, ack_without_timestamps_is_taken_once_in_2_to_the_22) {
    const results r = attack(v4(), attacks, false);
    EXPECT_EQ(r.lost, 0U);
    expect_about(r.admitted, std::ldexp(static_cast<double>(attacks), -22));
}

TEST(rfc5961_5_forged, ack_over_ipv6_is_taken_no_more_often) {
    expect_about(attack(v6(), attacks, false).admitted, std::ldexp(static_cast<double>(attacks), -22));
}

// While a changed window scale is still honoured a guess has two chances, unless its cookie names no window scale (1 in 16).
TEST(rfc5961_5_forged, ack_is_taken_at_most_twice_as_often_while_a_promise_changes) {
    open_door door;
    door.a.without_timestamps.former_shift = 3;
    door.a.former_until_ms = ~0ULL;
    const double once = std::ldexp(static_cast<double>(attacks) / 2, -22);
    expect_about(attack(v4(), attacks / 2, false, door).admitted, once * (2 - 1.0 / 16));
}

TEST(rfc5961_5_forged, echo_of_a_timestamp_is_almost_never_young_and_then_the_cookie_stands_against_it_too) {
    const u64 times = attacks / 5;
    const results r = attack(v4(), times, true);
    EXPECT_EQ(r.admitted, 0U); // 2^-38 each
    expect_about(r.lost, static_cast<double>(times) * 60'001 / 4294967296.0);
}

} // namespace
} // namespace vestibule::test
