// The kernel's own buffer behind what a TC program is given.
#pragma once

#include "bpf/bpf.hpp"

// Its address. A function of an object of its own (bpf/buffer.bpf.cpp): the linker of BPF objects, as Debian 12 has it, takes
// a function of the kernel's from one of them only.
extern "C" vestibule::u64 buffer_of(__sk_buff* ctx);
