// What test/agree/record.bpf.cpp is asked about a frame, and what it finds. Shared through maps: aggregates only.
#pragma once

#include "abi/established.hpp"
#include "engine/host.hpp"
#include "engine/options.hpp"
#include "engine/outcome.hpp"
#include "engine/synack.hpp"

namespace vestibule::test {

struct question {
    key_ring keys;
    answer on_file;
    listener socket;
    way back;
    tags stripped;
    u32 has_answer;
    u32 answering;
    u32 ifindex;
    u32 rehearsal_token;
    u64 now_ms;
};

struct finding {
    segment s;
    offer o;
    endpoint local;
    listener seen; // the host's own socket, as the kernel port reads it
    synack reply;
    established record;
    outcome attempt;
    outcome completion;
    u32 how; // shape
};

} // namespace vestibule::test
