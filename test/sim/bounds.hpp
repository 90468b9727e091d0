// What no run may show, whatever its seed.
#pragma once

#include <string>
#include <vector>

#include "test/sim/table.hpp"

namespace vestibule::test {

// The bounds that a row breaks, each in words.
std::vector<std::string> wrongs_of(const row& r);

} // namespace vestibule::test
