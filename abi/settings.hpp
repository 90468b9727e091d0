// What the control process tells the datapath, apart from secrets and answers. Written whole.
#pragma once

#include "abi/scalar.hpp"

namespace vestibule {

struct settings {
    u32 answering;       // 0: answer no SYN any more (stopping); completions are still handed over
    u32 rehearsal_token; // sequence number that marks the frames of our own rehearsals; random, per start
    u32 untracked_mark;  // skb mark that the host's notrack rule looks for; odd, and random, too
    u32 network_inode;   // the network namespace served, as in /proc/self/ns/net: tracepoints see them all
};
static_assert(sizeof(settings) == 16);

} // namespace vestibule
