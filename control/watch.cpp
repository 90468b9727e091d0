#include "control/watch.hpp"

#include <unistd.h>

#include <algorithm>

namespace vestibule {

namespace {

constexpr int pause_to_look = 9;
constexpr std::chrono::milliseconds least_pause{30};

constexpr auto readable = asio::posix::stream_descriptor::wait_read;

} // namespace

watch::watch(asio::io_context& io, heard told)
    : told_(std::move(told)), routes_(io), filter_(io), neighbours_(io), filter_pause_(io), neighbours_pause_(io) {}

void watch::begin() {
    routes_.assign(dup(changes_.route_descriptor()));
    filter_.assign(dup(changes_.filter_descriptor()));
    neighbours_.assign(dup(changes_.neighbour_descriptor()));
    watch_routes();
    watch_filter();
    watch_neighbours();
}

void watch::end() {
    routes_.close();
    filter_.close();
    neighbours_.close();
    filter_pause_.cancel();
    neighbours_pause_.cancel();
}

void watch::watch_routes() {
    routes_.async_wait(readable, [this](std::error_code error) {
        if (error)
            return;
        if (changes_.drain_routes())
            told_.routes();
        watch_routes();
    });
}

void watch::watch_filter() {
    filter_.async_wait(readable, [this](std::error_code error) {
        if (error)
            return;
        const auto spent = told_.guarded([this] {
            if (!changes_.drain_filter())
                return;
            changes_.poll_quiet(); // tells the same
            told_.filter();
        });
        filter_pause_.expires_after(spent * pause_to_look);
        filter_pause_.async_wait([this](std::error_code gone) {
            if (!gone)
                watch_filter();
        });
    });
}

// Neighbours are met and forgotten all the time, so there is a pause before every look.
void watch::watch_neighbours() {
    neighbours_pause_.async_wait([this](std::error_code gone) {
        if (gone)
            return;
        neighbours_.async_wait(readable, [this](std::error_code error) {
            if (error)
                return;
            const auto spent = told_.guarded([this] {
                if (changes_.drain_neighbours())
                    told_.neighbours();
            });
            neighbours_pause_.expires_after(std::max<time>(spent * pause_to_look, least_pause));
            watch_neighbours();
        });
    });
}

} // namespace vestibule
