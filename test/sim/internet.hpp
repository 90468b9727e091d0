// The network between peers and adaptors: it loses, doubles, delays and overtakes.
#pragma once

#include "test/sim/packet.hpp"
#include "test/sim/scenario.hpp"
#include "test/sim/schedule.hpp"
#include "test/support/randomness.hpp"

namespace vestibule::test {

class internet {
public:
    using destination = std::function<void(const packet&)>;

    internet(u64 seed, const weather& w, schedule& time) : chance_(seed), weather_(w), time_(time) {}

    void carry(packet p, const destination& to) {
        if (chance_.chance(weather_.doubled))
            deliver(p, to, chance_.chance(500) ? chance_.below(weather_.straggling_ms + 1) : 0);
        deliver(std::move(p), to, chance_.chance(weather_.straggling) ? chance_.below(weather_.straggling_ms + 1) : 0);
    }

private:
    // Frames of one peer arrive in the order they were sent, but for those that straggle.
    void deliver(packet p, const destination& to, u64 later_ms) {
        if (chance_.chance(weather_.lost))
            return;
        const u64 place = p.peer == nobody ? 0 : p.peer * 7919ULL % (weather_.delay_ms + 1);
        time_.after(weather_.delay_ms / 2 + place + later_ms, [p = std::move(p), &to] { to(p); });
    }

    randomness chance_;
    weather weather_;
    schedule& time_;
};

} // namespace vestibule::test
