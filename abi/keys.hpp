// The adaptor's secrets as the datapath needs them. Written by the control process alone; never printed, never logged.
#pragma once

#include "abi/scalar.hpp"

namespace vestibule {

// A SipHash key.
struct secret_key {
    u64 low;
    u64 high;
};

// Cookies are made with cookie[current] and checked with the one their parity bit names, so a cookie outlives one
// rotation and dies in the second. `clock` never rotates: it fixes each address pair's timestamp offset (RFC 7323 PAWS).
struct key_ring {
    secret_key cookie[2];
    secret_key clock;
    u32 current; // 0 or 1
    u32 zero;
};
static_assert(sizeof(key_ring) == 56);

// A new cookie key this often, unless told otherwise. A cookie made in an epoch's last moment lives for one epoch more,
// and so for as long as the kernel would keep the connection half open (63 s).
constexpr u64 usual_key_epoch_seconds = 64;

} // namespace vestibule
