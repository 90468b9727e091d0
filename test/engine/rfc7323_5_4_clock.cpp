// RFC 7323 sections 5.4 and 7.1: the timestamp clock.
//
// Not the adaptor's:
//   5.5  a clock that stops while a connection idles - from the handoff on the stack's own clock runs
#include <gtest/gtest.h>

#include <set>

#include "test/engine/world.hpp"

namespace vestibule::test {
namespace {

segment between(const draft& d) {
    return read(frame_of(d)).s;
}

u32 clock_at(const draft& d, u64 now_ms, const key_ring& keys = some_keys) {
    return timestamp_clock(keys.clock, between(d), now_ms);
}

TEST(rfc7323_5_4, the_clock_ticks_once_a_millisecond) {
    const u32 then = clock_at(v4(), 5000);
    EXPECT_EQ(clock_at(v4(), 5001) - then, 1U);
    EXPECT_EQ(clock_at(v4(), 65000) - then, 60000U);
}

TEST(rfc7323_5_4, the_clock_wraps_without_a_jump) {
    EXPECT_EQ(clock_at(v4(), 1ULL << 32) - clock_at(v4(), (1ULL << 32) - 1), 1U);
}

TEST(rfc7323_5_3, one_clock_for_all_connections_between_two_addresses) {
    EXPECT_EQ(clock_at(v4({.from_port = 1}), 0), clock_at(v4({.from_port = 2, .to_port = 443}), 0));
    EXPECT_EQ(clock_at(v6({.from_port = 1}), 0), clock_at(v6({.from_port = 2, .sequence = 9}), 0));
}

TEST(rfc7323_5_3, the_clock_never_runs_back_when_keys_rotate) {
    key_ring keys = some_keys;
    u32 before = clock_at(v4(), 0, keys);
    for (u64 now = 32'000; now < 320'000; now += 32'000) {
        keys.current ^= 1;
        keys.cookie[keys.current] = {now, ~now};
        const u32 after = clock_at(v4(), now, keys);
        EXPECT_EQ(after - before, 32'000U);
        before = after;
    }
}

TEST(rfc7323_7_1, every_pair_of_addresses_has_an_offset_of_its_own) {
    std::set<u32> offsets;
    for (u32 peer = 1; peer <= 1000; ++peer)
        offsets.insert(clock_at(v4({.source = {{be32{}, be32{}, mapped_prefix, network(0xc6336400U + peer)}}}), 0));
    EXPECT_GE(offsets.size(), 999U);
    EXPECT_NE(clock_at(v4(), 0), clock_at(v4({.source = ip("192.0.2.1"), .destination = ip("198.51.100.7")}), 0));
}

TEST(rfc7323_7_1, the_offset_is_siphash_of_the_addresses_as_on_the_wire) {
    for (const draft& d : {v4(), v6()}) {
        const u64 offset = siphash_1_3_by_definition::of(some_keys.clock, drafting::addresses(d));
        EXPECT_EQ(clock_at(d, 12345), static_cast<u32>(offset + 12345));
    }
}

} // namespace
} // namespace vestibule::test
