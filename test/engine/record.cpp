// Ours: the established record (abi/established.hpp) as a whole. What the RFCs ask of each of its fields stands in
// their own files.
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

TEST(record, holds_the_options_of_every_offer) {
    for (u32 bits = 0; bits < 16; ++bits) {
        const offered_options offered(bits);
        const established e = record_of(offering(offered));
        EXPECT_EQ(e.window_scale, offered.scale) << bits;
        EXPECT_EQ(e.peer_shift, offered.scale ? 11 : 0) << bits;
        EXPECT_EQ(e.local_shift, offered.scale ? 7 : 0) << bits;
        EXPECT_EQ(e.sack, offered.sack) << bits;
        EXPECT_EQ(e.timestamps, offered.stamps) << bits;
        EXPECT_EQ(e.ecn, offered.ecn) << bits;
        EXPECT_EQ(e.mss, 1400) << bits;
    }
}

TEST(record, options_that_the_host_refused_are_not_in_force) {
    const draft d = v4({.flags = wire::syn | wire::ece | wire::cwr, .options = opt::linux_syn()});
    const established e = record_of(d, allowing(0));
    EXPECT_EQ(e.window_scale + e.sack + e.timestamps + e.ecn, 0);
}

TEST(record, of_a_handshake_without_timestamps_has_no_clock) {
    const established e = record_of(windows_v4());
    EXPECT_EQ(e.timestamps, 0);
    EXPECT_EQ(e.timestamp_now, 0U);
    EXPECT_EQ(e.peer_timestamp, 0U);
}

TEST(record, nothing_is_written_unless_admitted) {
    const completed c = world{}.complete(v4({.acknowledgment = 1, .flags = wire::ack}));
    const established empty{};
    EXPECT_EQ(__builtin_memcmp(&c.record, &empty, sizeof(empty)), 0);
}

} // namespace
} // namespace vestibule::test
