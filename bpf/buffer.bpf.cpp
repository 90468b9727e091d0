#include "bpf/buffer.hpp"

#include "bpf/kernel.hpp"

// A function returns numbers, and to the verifier a pointer's copy is one only if it has been through memory.
extern "C" [[gnu::noinline]] vestibule::u64 buffer_of(__sk_buff* ctx) {
    const void* buffer = bpf_cast_to_kern_ctx(ctx);
    vestibule::u64 address = 0;
    bpf::read_kernel(address, &buffer);
    return address;
}

static const char dual_license[] SEC("license") = "Dual BSD/GPL";
