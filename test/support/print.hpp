// How outcomes and bytes compare and look in the messages of tests.
#pragma once

#include <ostream>
#include <string>

#include "engine/outcome.hpp"
#include "test/support/bytes.hpp"

namespace vestibule {

inline bool operator==(const outcome& a, const outcome& b) {
    return a.act == b.act && a.why == b.why;
}

inline const char* name_of(reason why) {
    constexpr const char* names[] = {
#define REASON(name, help) #name,
#include "abi/reason.def"
#undef REASON
        "none"};
    return names[static_cast<int>(why)];
}

inline std::ostream& operator<<(std::ostream& out, const outcome& o) {
    constexpr const char* actions[] = {"pass", "reply", "drop", "admit"};
    return out << actions[static_cast<int>(o.act)] << ", " << name_of(o.why);
}

} // namespace vestibule

namespace vestibule::test {

inline std::string hex(const bytes& b) {
    std::string text;
    for (const u8 x : b) {
        text += "0123456789abcdef"[x >> 4];
        text += "0123456789abcdef"[x & 15];
    }
    return text;
}

} // namespace vestibule::test
