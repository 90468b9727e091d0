#include "test/sim/adaptor.hpp"

#include <algorithm>

#include "control/succession.hpp"
#include "test/engine/world.hpp"

namespace vestibule::test {

namespace {

master_secret secret_of(u64 seed, u64 number) {
    master_secret secret{};
    std::memcpy(secret.data(), &seed, sizeof(seed));
    std::memcpy(secret.data() + sizeof(seed), &number, sizeof(number));
    return secret;
}

shift_on_file after(const shift_on_file& s, u8 found, bool other_changes, u64 now_ms) {
    const u64 until_ms = now_ms + rules::former_promise_ms;
    if (found != s.present)
        return {found, s.present, until_ms};
    return {s.present, s.former, other_changes && now_ms < s.former_until_ms ? until_ms : s.former_until_ms};
}

} // namespace

adaptor::adaptor(u32 number, const scenario& s, u64 seed)
    : number_(number), seed_(seed), rotation_s_(s.rotation_s), clock_ahead_ms_(number == 0 ? 0 : s.clock_ahead_ms),
      wall_ahead_ms_(number == 0 ? 0 : s.wall_ahead_ms), answer_(some_answer()) {
    look_at_clocks(0);
}

// The daemon looks at the wall clock ten times a second, each in its own rhythm.
void adaptor::look_at_clocks(u64 now_ms) {
    now_ms_ = now_ms;
    if (!rotating_)
        return;
    const u64 looked_ms = now_ms - (now_ms + 37ULL * number_) % looked_at_every_ms;
    const u64 wall_s = (first_wall_ms + looked_ms + static_cast<u64>(wall_ahead_ms_)) / 1000;
    if (epoch_ == wall_s / rotation_s_)
        return;
    epoch_ = wall_s / rotation_s_;
    renew_keys();
}

void adaptor::renew_keys() {
    keys_ = keyring(secret_of(seed_, secret_), rotation_s_).at(epoch_ * rotation_s_);
}

void adaptor::take_new_secret() {
    ++secret_;
    renew_keys();
}

void adaptor::restart_clock(u64 now_ms) {
    clock_ahead_ms_ = -static_cast<i64>(now_ms + boot_ms);
}

// What a rehearsal finds is filed as the control process files it.
void adaptor::promise(u8 with_timestamps, u8 without_timestamps) {
    answer found = some_answer();
    found.with_timestamps.shift = with_timestamps;
    found.without_timestamps.shift = without_timestamps;
    const u64 now_ms = moment().now_ms;
    answer_ = succeed(found, answer_, now_ms);
    const shift_on_file with = after(with_, with_timestamps, without_timestamps != without_.present, now_ms);
    without_ = after(without_, without_timestamps, with_timestamps != with_.present, now_ms);
    with_ = with;
}

circumstances adaptor::moment() const {
    const auto clock_ms = static_cast<u64>(static_cast<i64>(now_ms_ + boot_ms) + clock_ahead_ms_);
    return {keys_, clock_ms, world::ifindex, world::rehearsal_token, duty_ == duty::serving};
}

handoff_moment adaptor::stand() const {
    return {!absent(), secret_, epoch_, moment().now_ms, with_, without_};
}

birth adaptor::birth_of(u32 cookie) const {
    birth b{};
    b.cookie = cookie;
    b.secret = secret_;
    b.epoch = epoch_;
    b.clock_ms = moment().now_ms;
    b.adaptor = number_;
    return b;
}

bool adaptor::just_admitted(const segment& s) const {
    for (const admission& a : memory_[s.acknowledgment >> 24])
        if (now_ms_ - a.at_ms < remembered_ms && a.who == tuple_of(s))
            return true;
    return false;
}

void adaptor::remember(const segment& s) {
    auto& set = memory_[s.acknowledgment >> 24];
    *std::ranges::min_element(set, {}, &admission::at_ms) = {tuple_of(s), now_ms_};
}

} // namespace vestibule::test
