// The bytes of a frame that a program may read directly, as the engine wants them.
#pragma once

#include "bpf/bpf.hpp"
#include "engine/segment.hpp"

namespace bpf {

template <class Context>
BPF_INLINE vestibule::frame frame_of(Context* ctx) {
    return {reinterpret_cast<u8*>(static_cast<long>(ctx->data)),
            reinterpret_cast<u8*>(static_cast<long>(ctx->data_end))};
}

} // namespace bpf
