// An address prefix of either family, as written on a command line: 198.18.0.0/15, 2001:2::/48.
#pragma once

#include <array>
#include <string>

#include "abi/scalar.hpp"

namespace vestibule::lab {

// Words in memory order; IPv4 uses the first only.
using words = std::array<u32, 4>;

struct prefix {
    bool v4;
    words address; // zero beyond the prefix
    words mask;    // ones beyond the prefix
};

// A bare address is a prefix of full length. Throws std::runtime_error that names the text.
prefix parse_prefix(const std::string& text);

} // namespace vestibule::lab
