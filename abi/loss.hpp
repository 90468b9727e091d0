// What becomes of the replies that a driver is given, by interface: whoever loses them can be told from whoever does not.
#pragma once

#include "abi/scalar.hpp"

namespace vestibule {

// Of one interface; key: its index.
struct loss {
    u64 replies;
    u64 told_ns; // when the control process was last told that nothing gets through
};

// How many replies drivers were given: one entry for all interfaces whose indices agree in these low bits, so that no
// look-up in a hash stands between a SYN and its answer.
constexpr u32 replies_entries = 64; // a power of two

constexpr u32 replies_entry(u32 ifindex) {
    return ifindex & (replies_entries - 1);
}

} // namespace vestibule
