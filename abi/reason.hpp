// Why a frame met its outcome: the identifiers of abi/reason.def.
#pragma once

#include "abi/scalar.hpp"

namespace vestibule {

enum class reason : u8 {
#define REASON(name, help) name,
#include "abi/reason.def"
#undef REASON
    count,
};

constexpr u32 reason_count = static_cast<u32>(reason::count);

// One per CPU; sum over CPUs for the total.
struct tally {
    u64 of[reason_count];
};

} // namespace vestibule
