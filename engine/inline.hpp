// How the engine's functions are compiled: into BPF programs, where a function that is not inlined would need type
// information of its own, and where the kernel's verifier must recognise every check of a pointer against its frame.
#pragma once

#include "abi/scalar.hpp"

#define ENGINE [[gnu::always_inline]] inline

namespace vestibule {

// Whether `bytes` bytes at `p` lie before `end`. On BPF the optimiser may not see through the comparison: it would move
// arithmetic from one side to the other, which is the same for numbers and forbidden for packet pointers.
ENGINE bool fits(const void* p, u64 bytes, const u8* end) {
    const u8* edge = static_cast<const u8*>(p) + bytes;
#ifdef __bpf__
    asm volatile("" : "+r"(edge), "+r"(end));
#endif
    return edge <= end;
}

// The same value, about which the verifier knows nothing any more: after a loop that may have set it or not, it would
// else follow every combination on its own. `noise` is any number read from the frame.
ENGINE u32 forgotten(u32 value, [[maybe_unused]] u32 noise) {
#ifdef __bpf__
    asm volatile("%0 ^= %1\n\t%0 ^= %1" : "+r"(value) : "r"(noise));
#endif
    return value;
}

} // namespace vestibule
