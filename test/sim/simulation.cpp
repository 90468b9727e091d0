#include "test/sim/simulation.hpp"

namespace vestibule::test {

namespace {

constexpr u64 farewell_ms = 3000; // control/daemon.cpp
constexpr u64 away_ms = 500;

tuple tuple_of_receiver(const segment& s) {
    return {s.destination, s.source, s.destination_port, s.source_port};
}

} // namespace

simulation::simulation(const scenario& s, u64 seed, u64 handshakes)
    : scenario_(s), handshakes_(handshakes), chance_(seed), internet_(seed + 1, s.net, time_),
      site_(s, seed + 2, book_, [this](packet p) { to_peer(std::move(p)); }),
      attackers_(seed + 3, s.attack, time_, [this](packet p) { internet_.carry(std::move(p), at_site_); }),
      street_{time_, chance_, book_,
              [this](packet p) {
                  attackers_.overhear(p);
                  internet_.carry(std::move(p), at_site_);
              }},
      at_site_([this](const packet& p) { meet(p); }), at_peer_([this](const packet& p) { peers_[p.peer].receive(p); }),
      last_at_(s.ports, nobody) {}

tallies simulation::run() {
    arrive_next();
    again_and_again(scenario_.accept_every_ms, [this] { site_.stack.accept_one(); });
    again_and_again(scenario_.promise_every_ms, [this] { new_promise(); });
    again_and_again(scenario_.what == mishap::none ? 0 : scenario_.every_ms, [this] { mishap_comes(); });
    time_.run();
    book_.sum.by_the_stack = site_.stack.by_itself;
    book_.sum.unbuilt = site_.stack.unbuilt;
    book_.sum.again -= site_.stack.unbuilt;
    book_.sum.guesses = attackers_.guesses;
    return book_.sum;
}

// A port for the next peer: any whose last peer is gone.
std::optional<u32> simulation::free_port() {
    if (last_at_.empty())
        return static_cast<u32>(peers_.size());
    for (u32 tries = 0; tries < 10; ++tries)
        if (const u64 port = chance_.below(last_at_.size());
            last_at_[port] == nobody || peers_[last_at_[port]].closed())
            return static_cast<u32>(port);
    return {};
}

void simulation::arrive_next() {
    const std::optional<u32> port = free_port();
    if (!port)
        return time_.after(arrivals_apart_ms, [this] { arrive_next(); });
    if (!last_at_.empty())
        last_at_[*port] = static_cast<u32>(peers_.size());
    peer& p = peers_.emplace_back(static_cast<u32>(peers_.size()), *port, street_);
    p.begin();
    attackers_.attack(p.ends());
    if (peers_.size() < handshakes_)
        time_.after(arrivals_apart_ms, [this] { arrive_next(); });
}

// A frame falls on any adaptor. What comes within one millisecond is one receive batch.
void simulation::meet(const packet& p) {
    site_.arrive(site_.at(chance_.below(site_.adaptors())), p, time_.now_ms());
    if (!std::exchange(in_batch_, true))
        time_.at_last([this] {
            in_batch_ = false;
            site_.end_batch(time_.now_ms());
        });
}

void simulation::to_peer(packet p) {
    p.from = sender::host;
    if (p.peer == nobody || !last_at_.empty())
        p.peer = book_.peer_at(tuple_of_receiver(read(p.frame).s)); // whoever has those ends now
    if (p.peer != nobody)
        internet_.carry(std::move(p), at_peer_);
}

// --- What happens to machines -----------------------------------------------------------------------------------------

void simulation::again_and_again(u64 every_ms, const schedule::deed& d) {
    if (every_ms == 0)
        return;
    time_.after(every_ms, [this, every_ms, d] {
        d();
        if (!over())
            again_and_again(every_ms, d);
    });
}

void simulation::mishap_comes() {
    ++steps_;
    adaptor& a = site_.at(0);
    a.look_at_clocks(time_.now_ms());
    switch (scenario_.what) {
    case mishap::stop_and_start:
        return stop_and_start(a);
    case mishap::kill_and_start:
        return kill_and_start(a);
    case mishap::machine_restart:
        return machine_restart(a);
    case mishap::wall_clock_step:
        return a.step_wall_clock(steps_ % 2 == 1 ? scenario_.wall_step_ms : -scenario_.wall_step_ms);
    case mishap::none:
        break;
    }
}

// A clean stop takes the secret with it.
void simulation::stop_and_start(adaptor& a) {
    a.take_up(duty::stopping);
    time_.after(farewell_ms, [&a] { a.take_up(duty::absent); });
    time_.after(farewell_ms + away_ms, [this, &a] {
        a.look_at_clocks(time_.now_ms());
        a.take_new_secret();
        a.take_up(duty::serving);
    });
}

void simulation::kill_and_start(adaptor& a) {
    a.lose_daemon();
    time_.after(chance_.below(scenario_.every_ms), [this, &a] {
        a.look_at_clocks(time_.now_ms());
        a.regain_daemon();
    });
}

void simulation::machine_restart(adaptor& a) {
    site_.stack.forget_everything();
    book_.host_forgot();
    a.restart_clock();
    a.take_new_secret();
}

// A rehearsal finds another window scale; both promises change, or in turn the one and the other.
void simulation::new_promise() {
    ++steps_;
    const bool with = !scenario_.promises_apart || steps_ % 2 == 1;
    const bool without = !scenario_.promises_apart || steps_ % 2 == 0;
    shift_with_ = with ? static_cast<u8>((shift_with_ + 3) % 15) : shift_with_;
    shift_without_ =
        without ? static_cast<u8>((shift_without_ + (scenario_.promises_apart ? 4 : 3)) % 15) : shift_without_;
    for (u64 number = 0; number < site_.adaptors(); ++number) {
        site_.at(number).look_at_clocks(time_.now_ms());
        site_.at(number).promise(shift_with_, shift_without_);
    }
}

} // namespace vestibule::test
