// What becomes of one frame, and why.
#pragma once

#include "abi/reason.hpp"

namespace vestibule {

enum class action : u8 {
    pass,  // the host's stack has it
    reply, // the adaptor sends its SYN-ACK in the frame's place
    drop,
    admit, // the established record and the segment go to the host's stack
};

struct outcome {
    action act;
    reason why;
};

} // namespace vestibule
