// How the engine's functions are compiled: into BPF programs, where a function that is not inlined would need type
// information of its own, and where the kernel's verifier must recognise every check of a pointer against its frame.
#pragma once

#include "abi/scalar.hpp"

#define ENGINE [[gnu::always_inline]] inline

namespace vestibule {

// Headers stand in a frame wherever they fall. Natively they are packed, so that an access of any address is legal; the
// BPF machine reads words at any address, and a packed header would be read byte by byte there.
#ifdef __bpf__
#define ON_THE_WIRE
#else
#define ON_THE_WIRE [[gnu::packed]]
#endif

// The Value that stands at `p`, whatever its alignment; the caller has checked that it fits.
template <class Value>
ENGINE Value read_at(const void* p) {
#ifdef __bpf__
    return *static_cast<const Value*>(p);
#else
    Value value;
    __builtin_memcpy(&value, p, sizeof(Value));
    return value;
#endif
}

template <class Value>
ENGINE void write_at(void* p, const Value& value) {
#ifdef __bpf__
    *static_cast<Value*>(p) = value;
#else
    __builtin_memcpy(p, &value, sizeof(Value));
#endif
}

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
// else follow every combination on its own. `slot` must lie where the verifier keeps no account of what is written: in
// what a function of its own was given a pointer to.
ENGINE u32 forgotten(u32 value, [[maybe_unused]] u32& slot) {
#ifdef __bpf__
    auto* opaque = static_cast<volatile u32*>(&slot);
    *opaque = value;
    value = *opaque;
#endif
    return value;
}

} // namespace vestibule
