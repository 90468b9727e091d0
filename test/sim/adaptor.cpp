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
    return {s.present, s.former, other_changes && now_ms <= s.former_until_ms ? until_ms : s.former_until_ms};
}

} // namespace

adaptor::adaptor(u32 number, const scenario& s, u64 seed)
    : number_(number), seed_(seed), rotation_s_(s.rotation_s), clock_ahead_ms_(number == 0 ? 0 : s.clock_ahead_ms),
      wall_ahead_ms_(number == 0 ? 0 : s.wall_ahead_ms), looks_late_ms_(number == 0 ? 0 : s.looks_late_ms),
      ring_(std::in_place, secret_of(seed_, secret_), rotation_s_), answer_(some_answer()) {
    renew_keys();
}

// The daemon looks at the wall clock ten times a second, each in its own rhythm.
u64 adaptor::wall_seconds() const {
    const u64 looked_ms = now_ms_ - (now_ms_ + looked_at_every_ms - looks_late_ms_) % looked_at_every_ms;
    return (first_wall_ms + looked_ms + static_cast<u64>(wall_ahead_ms_)) / 1000;
}

void adaptor::look_at_clocks(u64 now_ms) {
    now_ms_ = now_ms;
    if (!alone_ && ring_->epoch(wall_seconds()) != epoch_)
        renew_keys();
}

void adaptor::renew_keys() {
    epoch_ = ring_->epoch(wall_seconds());
    keys_ = ring_->at(wall_seconds());
    const key_ring derived = keyring(secret_of(seed_, secret_), rotation_s_).at(wall_seconds());
    inherits_ = std::memcmp(&keys_, &derived, sizeof(keys_)) != 0;
}

void adaptor::disturbed() {
    last_ = {static_cast<i64>(now_ms_), static_cast<i64>(now_ms_)};
}

void adaptor::take_new_secret() {
    ring_.emplace(secret_of(seed_, ++secret_), rotation_s_);
    renew_keys();
    disturbed();
}

void adaptor::restart_clock() {
    clock_ahead_ms_ = -static_cast<i64>(now_ms_ + boot_ms);
    disturbed();
}

void adaptor::step_wall_clock(i64 ms) {
    wall_ahead_ms_ += ms;
    disturbed();
}

void adaptor::regain_daemon() {
    alone_ = false;
    ring_.emplace(secret_of(seed_, secret_), rotation_s_);
    ring_->inherit(keys_, wall_seconds());
    renew_keys();
    disturbed();
}

// Only one former promise is kept: who was given it before the last change is not served any more.
void adaptor::forget_former(i64 upheaval::* of) {
    const i64 former_ms = std::exchange(changed_.*of, static_cast<i64>(now_ms_));
    last_.*of = std::max(last_.*of, former_ms);
}

// What a rehearsal finds is filed as the control process files it.
void adaptor::promise(u8 with_timestamps, u8 without_timestamps) {
    answer found = some_answer();
    found.with_timestamps.shift = with_timestamps;
    found.without_timestamps.shift = without_timestamps;
    const u64 now_ms = moment().now_ms;
    if (with_timestamps != with_.present)
        forget_former(&upheaval::with_timestamps_ms);
    if (without_timestamps != without_.present)
        forget_former(&upheaval::without_timestamps_ms);
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
    return {.present = !absent(),
            .keys = keys_,
            .clock_ms = moment().now_ms,
            .with_timestamps = with_,
            .without_timestamps = without_,
            .adaptor = number_,
            .at_ms = static_cast<i64>(now_ms_),
            .rotation_ms = static_cast<i64>(rotation_s_ * 1000),
            .alone = alone_ || inherits_,
            .last = last_};
}

birth adaptor::birth_of(u32 cookie) const {
    birth b{};
    b.cookie = cookie;
    b.key = keys_.cookie[keys_.current];
    b.clock_key = keys_.clock;
    b.clock_ms = moment().now_ms;
    b.adaptor = number_;
    b.at_ms = static_cast<i64>(now_ms_);
    b.alone = alone_ || inherits_;
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
