// What the frames of one flood have in common. Shared with the BPF program through a map: aggregates only.
#pragma once

#include "abi/scalar.hpp"

namespace vestibule::lab {

constexpr u32 ethernet_bytes = 14;
constexpr u32 ipv4_bytes = 20;
constexpr u32 ipv6_bytes = 40;
constexpr u32 tcp_bytes = 20;
constexpr u32 linux_options = 20;   // MSS, SACK-permitted, timestamps, NOP, window scale
constexpr u32 windows_options = 12; // MSS, NOP, window scale, NOP, NOP, SACK-permitted
constexpr u32 longest_frame = ethernet_bytes + ipv6_bytes + tcp_bytes + linux_options;

// Words and sums are kept in memory order, as a frame has them: the Internet checksum does not mind (RFC 1071 section 2).
struct plan {
    u8 frame[96];       // zero where frames differ: source, identification, port, sequence number, TSval, checksums
    u32 source[4];      // the prefix of the source address; IPv4 uses the first word only
    u32 source_mask[4]; // ones where the source address is random
    u64 seed;
    u64 start_ns;       // monotonic clock: the first frame is due
    u32 frames_per_sec; // zero: each frame is due at once
    u32 network_sum;    // IPv4 header, without what differs
    u32 segment_sum;    // pseudo-header and segment, without what differs
    u32 ifindex;        // where frames leave
};
static_assert(longest_frame <= sizeof(plan::frame));
static_assert(sizeof(plan) == 160);

struct progress {
    u64 frames;
    u64 last_ns; // monotonic clock; kept where frames are paced
};

} // namespace vestibule::lab
