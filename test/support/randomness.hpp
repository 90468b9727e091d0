// Chance that is the same on every machine: the distributions of the standard library differ from one to the other.
#pragma once

#include <random>

#include "abi/scalar.hpp"

namespace vestibule::test {

class randomness {
public:
    explicit randomness(u64 seed) : engine_(seed) {}

    u64 next() { return engine_(); }
    u32 word() { return static_cast<u32>(next() >> 32); }
    // 0 up to `bound`, which is not reached and not 0.
    u64 below(u64 bound) { return static_cast<u64>((static_cast<unsigned __int128>(next()) * bound) >> 64); }
    bool chance(u32 per_thousand) { return per_thousand != 0 && below(1000) < per_thousand; }

private:
    std::mt19937_64 engine_;
};

} // namespace vestibule::test
