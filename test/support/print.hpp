// How outcomes compare and look in the messages of tests.
#pragma once

#include <ostream>

#include "engine/outcome.hpp"

namespace vestibule {

// What GoogleTest prints when two outcomes differ.
inline bool operator==(const outcome& a, const outcome& b) {
    return a.act == b.act && a.why == b.why;
}
inline std::ostream& operator<<(std::ostream& out, const outcome& o) {
    constexpr const char* actions[] = {"pass", "reply", "drop", "admit"};
    constexpr const char* reasons[] = {
#define REASON(name, help) #name,
#include "abi/reason.def"
#undef REASON
        "count"};
    return out << actions[static_cast<int>(o.act)] << ", " << reasons[static_cast<int>(o.why)];
}

} // namespace vestibule
