// The corpus: frames good, odd and broken, each with a name. Frames that carry a timestamp of ours are made for the moment
// at which they are run, so a sample is the making of a frame.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "test/support/bytes.hpp"

namespace vestibule::test {

struct sample {
    std::string name;
    std::function<bytes(u64 now_ms)> frame;
};

std::vector<sample> corpus();
void PrintTo(const sample& s, std::ostream* out);

} // namespace vestibule::test
