// The frame that bench/cost.cpp has a program meet over and over. Shared with its BPF program through a map.
#pragma once

#include "abi/scalar.hpp"

namespace vestibule::bench {

struct specimen {
    u8 bytes[128]; // TCP, without VLAN tags, IP options or extension headers; source port and low half of the sequence
                   // number 0: they differ each time
    u32 length;
    u32 v6; // 0 or 1
    u32 turn;
    u32 zero;
};
static_assert(sizeof(specimen) == 144);

} // namespace vestibule::bench
