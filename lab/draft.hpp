// Draws up the plan of a flood: every byte that its frames share, and the sums over them.
#pragma once

#include "lab/interface.hpp"
#include "lab/plan.hpp"
#include "lab/prefix.hpp"

namespace vestibule::lab {

struct target {
    interface out;
    link_address link;
    prefix address; // of full length
    u16 port;
};

struct drafted {
    lab::plan plan;
    u32 frame_bytes;
};

drafted draft(const target& to, const prefix& sources, bool timestamps);

} // namespace vestibule::lab
