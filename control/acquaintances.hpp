// Keeps the book of acquaintances true: with whom the host has connections. While it cannot be, nobody believes it, and every
// SYN is looked up.
#pragma once

#include <chrono>
#include <memory>

#include "abi/acquaintances.hpp"
#include "control/programs.hpp"

namespace vestibule {

class acquaintances {
public:
    // The witness must be at work before the first keep(): what begins after a census is its business.
    explicit acquaintances(const programs& loaded);

    // To be called every second or so: writes the book anew where much in it may have become untrue.
    void keep();

private:
    using time = std::chrono::steady_clock::time_point;

    void write_anew();
    void take_census() const;
    [[nodiscard]] double filled(u32 half) const;

    struct unmapper {
        void operator()(acquaintance_book* book) const;
    };

    int census_;
    std::unique_ptr<acquaintance_book, unmapper> book_;
    double filled_then_ = 0; // after it was last written
    time not_before_;        // a host of a million connections has better things to do
};

} // namespace vestibule
