// Sends frames of one plan from inside the kernel.
#pragma once

#include <memory>

#include "lab/draft.hpp"

struct flood_bpf;

namespace vestibule::lab {

class generator {
public:
    // Throws std::runtime_error when the kernel refuses; so do the others.
    generator(bool v4, bool timestamps);
    ~generator();

    void follow(const drafted& frames);

    // Returns when all frames were sent, or earlier when a signal interrupts. `batch` frames at a time are handed to the
    // interface; nothing else runs on this CPU meanwhile.
    void send(u32 frames, u32 batch) const;
    u64 sent() const;

private:
    struct unload {
        void operator()(flood_bpf* programs) const;
    };
    std::unique_ptr<flood_bpf, unload> programs_;
    std::array<u8, sizeof(plan::frame)> input_{};
    u32 frame_bytes_ = 0;
    int program_;
};

} // namespace vestibule::lab
