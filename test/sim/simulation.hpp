// One scenario, run: peers arrive, their frames cross the network to a site, and things happen to its machines.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "test/sim/attackers.hpp"
#include "test/sim/internet.hpp"
#include "test/sim/peer.hpp"
#include "test/sim/site.hpp"

namespace vestibule::test {

class simulation {
public:
    simulation(const scenario& s, u64 seed, u64 handshakes);
    simulation(const simulation&) = delete;
    simulation& operator=(const simulation&) = delete;

    tallies run();

private:
    [[nodiscard]] std::optional<u32> free_port();
    void arrive_next();
    void meet(const packet& p);
    void to_peer(packet p);

    void again_and_again(u64 every_ms, const schedule::deed& d);
    void mishap_comes();
    void stop_and_start(adaptor& a);
    void kill_and_start(adaptor& a);
    void machine_restart(adaptor& a);
    void new_promise();
    [[nodiscard]] bool over() const { return peers_.size() == handshakes_ && book_.all_closed(); }

    static constexpr u64 arrivals_apart_ms = 5;

    scenario scenario_;
    u64 handshakes_;
    randomness chance_;
    schedule time_;
    ledger book_;
    internet internet_;
    site site_;
    attackers attackers_;
    street street_;
    std::deque<peer> peers_;
    internet::destination at_site_;
    internet::destination at_peer_;
    std::vector<u32> last_at_; // by port, where ports are few
    bool in_batch_ = false;
    u64 steps_ = 0;
    u8 shift_with_ = 7;
    u8 shift_without_ = 7;
};

} // namespace vestibule::test
