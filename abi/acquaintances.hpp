// The peers with whom the host has a connection, or may have: one bit for each hash of a peer's address and port
// (bpf/acquaintances.hpp). The programs set bits, the control process takes the old ones away.
#pragma once

#include "abi/scalar.hpp"

namespace vestibule {

constexpr u32 acquaintance_words = 1U << 14; // 128 KB a half: it has to stay in a processor's cache

struct acquaintance_book {
    u64 half[2][acquaintance_words];
    u32 whole; // 0: neither half; else the number, from 1, of the one that may be believed
    u32 zero;
};

} // namespace vestibule
