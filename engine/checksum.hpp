// The Internet checksum (RFC 1071), in plain arithmetic: on the few words of a SYN-ACK that beats a call to the kernel.
#pragma once

#include "abi/scalar.hpp"
#include "engine/inline.hpp"

namespace vestibule {

// Folds a sum of 32-bit words, as they lie in memory, to the 16 bits that go into a header, as they lie in memory.
ENGINE u16 folded(u64 sum) {
    sum = (sum & 0xffffffffU) + (sum >> 32);
    sum = (sum & 0xffffffffU) + (sum >> 32);
    sum = (sum & 0xffffU) + (sum >> 16);
    sum = (sum & 0xffffU) + (sum >> 16);
    return static_cast<u16>(~sum & 0xffffU);
}

// Sum of `count` 32-bit words. `count` is a constant where this is called, so the loop is unrolled.
ENGINE u64 sum_words(const void* first, u32 count) {
    const u8* at = static_cast<const u8*>(first);
    u64 sum = 0;
    for (u32 i = 0; i < count; ++i)
        sum += read_at<u32>(at + 4 * i);
    return sum;
}

} // namespace vestibule
