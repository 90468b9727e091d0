// The watch over what an answer depends on: it tells what changed as soon as that shows. Where changes never end, looking at
// them takes a tenth of the time at most.
#pragma once

#include <functional>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include "control/changes.hpp"
#include "control/pace.hpp"

namespace vestibule {

class watch {
public:
    using time = pace::clock::duration; // that looking took
    using look = std::function<void()>;

    // Called in the io_context's thread. `guarded` runs a look, keeps its failures from the watch, and says what it took.
    struct heard {
        look routes;
        look filter;
        look neighbours;
        std::function<time(const look&)> guarded;
    };

    watch(asio::io_context& io, heard told);

    void heed(const std::string& interface) { changes_.heed(interface); } // some sysctls are the interface's own
    void begin();
    void end();

    // What announces nothing: to be called several times a second, and before a decision.
    [[nodiscard]] bool filter_changed_quietly() { return changes_.poll_quiet(); }

private:
    void watch_routes();
    void watch_filter();
    void watch_neighbours();

    changes changes_;
    heard told_;
    asio::posix::stream_descriptor routes_;
    asio::posix::stream_descriptor filter_;
    asio::posix::stream_descriptor neighbours_;
    asio::steady_timer filter_pause_;
    asio::steady_timer neighbours_pause_;
};

} // namespace vestibule
