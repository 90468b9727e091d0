// The datapath's counters, summed over processors, with the names and help of abi/reason.def.
#pragma once

#include <array>

#include "abi/reason.hpp"

namespace vestibule {

struct reason_text {
    const char* name;
    const char* help;
};

inline constexpr std::array<reason_text, reason_count> reason_texts = {{
#define REASON(name, help) {#name, help},
#include "abi/reason.def"
#undef REASON
}};

using totals = std::array<u64, reason_count>;

// `map` is the descriptor of the counters map. Throws std::system_error when it cannot be read.
totals read_totals(int map);

// How many replies the driver of an interface was given; `map` is the descriptor of the replies map. Throws likewise.
u64 read_replies(int map, u32 ifindex);

inline u64 of(const totals& t, reason why) {
    return t.at(static_cast<std::size_t>(why));
}

} // namespace vestibule
