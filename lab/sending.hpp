// A flood under way, in a thread of its own: so a signal or the end of its time can cut short a call into the kernel.
#pragma once

#include <future>
#include <thread>

#include "lab/generator.hpp"
#include "lab/schedule.hpp"

namespace vestibule::lab {

class sending {
public:
    sending(const generator& from, const limits& within, clock::time_point start);

    bool ended() const;

    // Stops what has not ended by itself. Throws what the thread threw.
    void stop();

private:
    std::future<void> outcome_;
    std::jthread thread_;
};

} // namespace vestibule::lab
