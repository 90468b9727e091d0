// One row of the table: what the network does to frames, what becomes of adaptors, clocks and promises, and who
// attacks.
#pragma once

#include <string>
#include <vector>

#include "abi/keys.hpp"

namespace vestibule::test {

using i64 = long long;

// Of every thousand frames, in either direction.
struct weather {
    u32 lost = 0;
    u32 doubled = 0; // half of the copies come at once, half up to `straggling_ms` later
    u32 straggling = 0;
    u64 straggling_ms = 0;
    u64 delay_ms = 10; // one way; each peer's is fixed, between half of this and one and a half
};

enum class mishap {
    none,
    stop_and_start,  // farewell, programs gone, programs back: with keys of a new secret
    kill_and_start,  // programs stay; nobody rotates keys, until a new process goes on with the same secret
    machine_restart, // connections, keys and clock begin anew
    wall_clock_step, // forth and back in turn
};

// Guesses and replays for each handshake. A replay is of a completing ACK seen on the path.
struct assault {
    u32 random_acks = 0;
    u32 spoofed_syns = 0;
    bool replays = false;
};

struct scenario {
    std::string name;
    weather net{};
    assault attack{};
    u32 adaptors = 1;       // packets fall on them at random
    i64 clock_ahead_ms = 0; // of the second adaptor: its own clock
    i64 wall_ahead_ms = 0;  // and its wall clock
    u64 looks_late_ms = 0;  // and how much later than the first it looks at that
    u64 rotation_s = usual_key_epoch_seconds;
    mishap what = mishap::none;
    u64 every_ms = 0;            // between two mishaps
    i64 wall_step_ms = 45'000;   // of mishap::wall_clock_step
    u64 promise_every_ms = 0;    // a rehearsal finds another window scale this often; 0: never
    bool promises_apart = false; // with and without timestamps each in their own time
    u64 accept_every_ms = 0;     // a slow application with a short accept queue; 0: a quick one
    u32 ports = 0;               // peers come from so few, at once after one another; 0: each has ends of its own
};

std::vector<scenario> scenarios();

} // namespace vestibule::test
