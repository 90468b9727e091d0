// What a run came to, for people: one row for each scenario, and the reasons that frames met.
#pragma once

#include <string>
#include <vector>

#include "test/sim/simulation.hpp"

namespace vestibule::test {

struct row {
    scenario what;
    tallies sum;
};

std::string table_of(const std::vector<row>& rows);

} // namespace vestibule::test
