// The control process: wires the parts together, and runs until it is told to stop.
#pragma once

#include <string>
#include <vector>

#include "abi/keys.hpp"
#include "control/attachment.hpp"

namespace vestibule {

struct run_options {
    std::vector<std::string> interfaces;
    xdp_wish xdp = xdp_wish::automatic;
    std::string instance = "default";
    u64 key_rotation_seconds = usual_key_epoch_seconds;
};

// Serves those interfaces, and none that an earlier run of the instance left served: from that, if it was killed, it
// takes over. Returns when SIGINT, SIGTERM or SIGHUP (unless that was ignored: nohup) came and everything is detached.
//
// Throws failure. Before all programs stand, everything is then as it was: what an earlier run left at work goes on, if
// there is any. After that, nothing is left attached.
void run(const run_options& options);

} // namespace vestibule
