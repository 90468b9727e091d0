// What the engine asks of the port it runs in: the host's sockets, the answers on file, and the ways to peers.
//
// A port passes an object with these members, each callable at most once per frame:
//     const answer* answer_for(const endpoint&)    null: none on file
//     listener listener_for(const segment&)        the socket that the host's stack would give this segment to
//     way way_for(const segment&)                  where its stack would send the answer; of a SYN only
#pragma once

#include "abi/answer.hpp"
#include "abi/keys.hpp"
#include "abi/way.hpp"
#include "engine/segment.hpp"

namespace vestibule {

enum class socket_state : u8 {
    absent,
    connection, // synchronized, half-open in the host itself, or TIME-WAIT
    listening,
};

struct listener {
    socket_state state;
    bool queue_full;     // as many connections wait for accept() as its backlog allows (kernel: sk_acceptq_is_full)
    bool multipath;      // MPTCP
    bool fast_open;      // takes TCP Fast Open
    bool demands_keys;   // has TCP MD5 or AO keys
    bool waits_for_data; // TCP_DEFER_ACCEPT
    bool keeps_syns;     // TCP_SAVE_SYN: it wants to be shown them
    u16 most_mss;        // TCP_MAXSEG; 0: not set
};

// Everything about the moment that is not in the frame.
struct circumstances {
    const key_ring& keys;
    u64 now_ms; // the adaptor's clock: monotonic milliseconds
    u32 ifindex;
    u32 rehearsal_token;
    bool answering;
};

} // namespace vestibule
