// Who asks for nothing and sends nevertheless: ACKs of random numbers, SYNs whose source never hears the answer, and
// on the path a listener who sends completing ACKs again, as they were, with a bit changed, or in another's name.
#pragma once

#include <functional>
#include <optional>

#include "test/sim/packet.hpp"
#include "test/sim/scenario.hpp"
#include "test/sim/schedule.hpp"
#include "test/sim/tuple.hpp"
#include "test/support/randomness.hpp"

namespace vestibule::test {

class attackers {
public:
    attackers(u64 seed, const assault& a, schedule& time, std::function<void(packet)> send)
        : chance_(seed), assault_(a), time_(time), send_(std::move(send)) {}

    // Once for each handshake of an honest peer, whose tuple is known.
    void attack(const tuple& victim);
    void overhear(const packet& p);

    u64 guesses = 0;

private:
    void send_random_ack(const tuple& victim);
    void send_spoofed_syn();
    [[nodiscard]] packet changed(packet p);

    randomness chance_;
    assault assault_;
    schedule& time_;
    std::function<void(packet)> send_;
};

} // namespace vestibule::test
