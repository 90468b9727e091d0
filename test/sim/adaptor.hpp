// One machine's adaptor and handoff, around the engine: its clock, its keys (control/keyring, looked at as often as the
// daemon looks), its answers and its memory of whom it has just admitted (bpf/admissions.hpp).
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "abi/established.hpp"
#include "control/keyring.hpp"
#include "engine/host.hpp"
#include "test/sim/packet.hpp"
#include "test/sim/rules.hpp"
#include "test/sim/tuple.hpp"

namespace vestibule::test {

enum class duty : u8 { serving, stopping, absent };

class adaptor {
public:
    adaptor(u32 number, const scenario& s, u64 seed);

    void look_at_clocks(u64 now_ms);
    void promise(u8 with_timestamps, u8 without_timestamps);
    void take_new_secret();
    void restart_clock();
    void step_wall_clock(i64 ms);
    void take_up(duty d) { duty_ = d; }
    // The daemon dies and the programs stay; a new one goes on with secret and keys.
    void lose_daemon() { alone_ = true; }
    void regain_daemon();

    [[nodiscard]] bool absent() const { return duty_ == duty::absent; }
    [[nodiscard]] circumstances moment() const;
    [[nodiscard]] const answer* answer_for(const endpoint&) const { return &answer_; }
    [[nodiscard]] handoff_moment stand() const;
    [[nodiscard]] birth birth_of(u32 cookie) const;

    [[nodiscard]] bool just_admitted(const segment& s) const;
    void remember(const segment& s);

    std::vector<std::pair<packet, std::optional<established>>> backlog; // of this receive batch, for the stack

private:
    [[nodiscard]] u64 wall_seconds() const;
    void renew_keys();
    void disturbed();
    void forget_former(i64 upheaval::* of);

    static constexpr u64 boot_ms = 1'000'000;
    static constexpr u64 first_wall_ms = 1'800'000'000'000;
    static constexpr u64 looked_at_every_ms = 100;
    static constexpr u64 remembered_ms = 10;

    struct admission {
        tuple who;
        u64 at_ms;
    };

    u32 number_;
    u64 seed_;
    u64 rotation_s_;
    i64 clock_ahead_ms_;
    i64 wall_ahead_ms_;
    u64 looks_late_ms_;
    duty duty_ = duty::serving;
    bool alone_ = false;    // no daemon
    bool inherits_ = false; // a key of a former daemon's
    u64 now_ms_ = 0;        // true time
    u64 secret_ = 1;
    std::optional<keyring> ring_;
    u64 epoch_ = 0;
    key_ring keys_{};
    upheaval last_;    // of any kind
    upheaval changed_; // when each promise was changed
    answer answer_;
    shift_on_file with_;
    shift_on_file without_;
    std::array<std::array<admission, 4>, 256> memory_{};
};

} // namespace vestibule::test
