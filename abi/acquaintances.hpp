// The peers with whom the host has a connection, or may have: one bit for each hash of a peer's address and port
// (bpf/acquaintances.hpp). The programs set bits, the control process takes the old ones away.
#pragma once

#include "abi/scalar.hpp"

namespace vestibule {

// Powers of two. A half is as small as it may be for the connections there are: it has to stay in a processor's cache.
constexpr u32 least_acquaintance_words = 1U << 10; // 8 KB
constexpr u32 most_acquaintance_words = 1U << 14;

struct acquaintance_book {
    u64 half[2][most_acquaintance_words];
    u32 whole;   // 0: neither half; else the number, from 1, of the one that may be believed
    u32 mask[2]; // so many words of each half, less one, are in use
    u32 zero;
};

} // namespace vestibule
