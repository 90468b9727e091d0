// What the datapath tells the control process, through a ring buffer. One shape for all kinds.
#pragma once

#include "abi/answer.hpp"

namespace vestibule {

enum class event_kind : u8 {
    rehearsal_wanted, // a SYN came for `where`, a listener without an answer on file; `peer` sent it from link address `link`
    listeners_changed, // a socket entered or left LISTEN on port where.port
    handoff_refused,   // the host's stack built no connection from the last records handed over for `where`
    replies_lost,      // the driver sends nothing that XDP gives it on where.ifindex
};

struct event {
    event_kind kind;
    u8 link[6];
    u8 zero;
    endpoint where;
    address peer;
};
static_assert(sizeof(event) == 52);

} // namespace vestibule
