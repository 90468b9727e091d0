// What an impaired link does to the frames of one direction.
//
// The fates of a flow's segments are a random sequence of its own, seeded by the flow's addresses and ports. So the
// fate of a segment depends on its number within its flow, and on nothing else: two hosts, visited alike and behaving
// alike, lose the same segments, whatever the order in which the flows take turns. A difference is the hosts'.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <random>
#include <span>

#include "abi/scalar.hpp"

namespace vestibule::lab {

using milliseconds = std::chrono::duration<double, std::milli>;

struct impairment {
    milliseconds delay{0};
    milliseconds jitter{0}; // up to so much more for each segment: segments overtake each other
    double loss = 0;        // percent of the segments
    double duplicates = 0;  // percent of the segments that are not lost
    u32 seed = 1;
};

struct fate {
    unsigned copies = 1; // 0: lost
    milliseconds delay{0};
};

// SYNs are counted apart, with or without ACK; one is repeated where its flow has had one before.
struct fate_counts {
    u64 frames = 0;
    u64 segments = 0;
    u64 lost = 0;
    u64 duplicated = 0;
    u64 syns = 0;
    u64 repeated_syns = 0;
    u64 lost_syns = 0;
};

class fates {
public:
    explicit fates(const impairment& by) : by_(by) {}

    // Frames that are not TCP segments come through, with the delay and no more: what is compared is TCP, and a lost
    // question of neighbour discovery would stop every flow for a second.
    fate of(std::span<u8> frame);

    [[nodiscard]] const fate_counts& counts() const { return counts_; }

private:
    using flow = std::array<u32, 9>; // addresses and ports
    struct course {
        std::ranlux24 chance;
        bool begun = false; // has had a SYN
    };
    course& course_of(const flow& f);
    fate draw(course& c) const;
    void count(course& c, bool syn, const fate& drawn);

    impairment by_;
    std::map<flow, course> courses_;
    fate_counts counts_;
};

} // namespace vestibule::lab
