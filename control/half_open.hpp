// Half-open connections that a rehearsal could not clear with its RST, because the packet filter takes no RSTs. Left alone,
// the stack would repeat its SYN-ACK after the egress hook is gone.
#pragma once

#include "abi/scalar.hpp"
#include "control/netlink.hpp"

namespace vestibule {

// Destroys those of peers' ports `first` to `last`.
void destroy_half_open(netlink& diagnosis, u16 first, u16 last);

} // namespace vestibule
