// The two clocks of the control process.
#pragma once

#include <chrono>

#include "abi/scalar.hpp"

namespace vestibule {

// The datapath's clock in milliseconds (kernel: bpf_ktime_get_ns, CLOCK_MONOTONIC).
inline u64 adaptor_clock_ms() {
    using namespace std::chrono;
    return static_cast<u64>(duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count());
}

// Key epochs are counted on the wall clock, so that several adaptors agree on them.
inline u64 wall_clock_seconds() {
    using namespace std::chrono;
    return static_cast<u64>(duration_cast<seconds>(system_clock::now().time_since_epoch()).count());
}

} // namespace vestibule
