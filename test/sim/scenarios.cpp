#include "test/sim/scenario.hpp"

namespace vestibule::test {

namespace {

constexpr weather with_old_copies{
    .lost = 10, .doubled = 100, .straggling = 50, .straggling_ms = 20'000, .delay_ms = 10};
constexpr weather rough{.lost = 50, .doubled = 20, .straggling = 50, .straggling_ms = 2'000, .delay_ms = 50};

std::vector<scenario> of_the_network() {
    return {
        {.name = "calm"},
        {.name = "1 % lost", .net = {.lost = 10}},
        {.name = "5 % lost", .net = {.lost = 50}},
        {.name = "20 % lost", .net = {.lost = 200}},
        {.name = "10 % doubled", .net = {.doubled = 100, .straggling_ms = 5'000}},
        {.name = "20 % overtaken", .net = {.straggling = 200, .straggling_ms = 300}},
        {.name = "50 ms away", .net = {.delay_ms = 50}},
        {.name = "300 ms away", .net = {.delay_ms = 300}},
        {.name = "2 s away", .net = {.delay_ms = 2'000}},
        {.name = "rough", .net = rough},
        {.name = "ports used again", .net = with_old_copies, .ports = 2'000},
    };
}

std::vector<scenario> of_the_machine() {
    return {
        {.name = "slow application", .net = {.lost = 10}, .accept_every_ms = 4},
        {.name = "keys every 2 s", .net = rough, .rotation_s = 2},
        {.name = "wall clock steps", .net = rough, .what = mishap::wall_clock_step, .every_ms = 20'000},
        {.name = "wall clock far off",
         .net = rough,
         .what = mishap::wall_clock_step,
         .every_ms = 20'000,
         .wall_step_ms = 5 * 64'000},
        {.name = "stopped, started", .net = rough, .what = mishap::stop_and_start, .every_ms = 30'000},
        {.name = "killed, started", .net = rough, .what = mishap::kill_and_start, .every_ms = 40'000},
        {.name = "machine restarted", .net = rough, .what = mishap::machine_restart, .every_ms = 30'000},
        {.name = "new promises", .net = rough, .promise_every_ms = 61'000},
        {.name = "promises apart", .net = rough, .promise_every_ms = 31'000, .promises_apart = true},
    };
}

std::vector<scenario> of_two_adaptors() {
    return {
        {.name = "two adaptors", .net = rough, .adaptors = 2},
        {.name = "two, keys every 2 s", .net = {.delay_ms = 50}, .adaptors = 2, .rotation_s = 2},
        {.name = "two, keys 60 ms apart", .adaptors = 2, .looks_late_ms = 60, .rotation_s = 2},
        {.name = "two, clocks 20 ms apart", .adaptors = 2, .clock_ahead_ms = 20, .wall_ahead_ms = 20},
        {.name = "two, clocks 3 s apart", .net = rough, .adaptors = 2, .clock_ahead_ms = 3'000, .wall_ahead_ms = 3'000},
    };
}

std::vector<scenario> under_attack() {
    return {
        {.name = "spoofed SYNs", .attack = {.spoofed_syns = 10}},
        {.name = "forged ACKs", .attack = {.random_acks = 50}},
        {.name = "replays", .net = rough, .attack = {.random_acks = 1, .replays = true}},
        {.name = "everything",
         .net = rough,
         .attack = {.random_acks = 2, .spoofed_syns = 1, .replays = true},
         .adaptors = 2,
         .rotation_s = 8,
         .what = mishap::kill_and_start,
         .every_ms = 40'000,
         .promise_every_ms = 61'000,
         .accept_every_ms = 4},
    };
}

} // namespace

std::vector<scenario> scenarios() {
    std::vector<scenario> all;
    for (const auto& chapter : {of_the_network, of_the_machine, of_two_adaptors, under_attack})
        for (const scenario& s : chapter())
            all.push_back(s);
    return all;
}

} // namespace vestibule::test
