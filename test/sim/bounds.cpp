#include "test/sim/bounds.hpp"

#include <cmath>

#include <fmt/format.h>

namespace vestibule::test {

namespace {

// A count that is nothing, but in scenarios where something accounts for it.
struct bound {
    u64 tallies::* count;
    const char* what;
    bool (*accounted_for)(const scenario&);
};

bool never(const scenario&) {
    return false;
}
bool gives_up(const scenario& s) {
    return s.net.lost != 0 || s.accept_every_ms != 0;
}
bool disorder(const scenario& s) { // two adaptors are two receive queues
    return s.net.lost != 0 || s.net.straggling != 0 || s.adaptors > 1;
}
bool mishaps(const scenario& s) {
    return s.what != mishap::none;
}
bool clocks_differ(const scenario& s) {
    return s.adaptors > 1 && (s.clock_ahead_ms != 0 || s.wall_ahead_ms != 0 || s.looks_late_ms != 0);
}
bool state_lost(const scenario& s) { // or never there: the record found the queue full
    return s.accept_every_ms != 0 || s.what == mishap::stop_and_start || s.what == mishap::machine_restart;
}
bool stack_asked(const scenario& s) { // also where a SYN finds an earlier connection, which then ends
    return s.what == mishap::stop_and_start || s.ports != 0;
}
bool old_copies(const scenario& s) {
    return s.net.doubled != 0 || s.net.straggling != 0 || s.attack.replays;
}

constexpr bound bounds[]{
    {&tallies::refused_in_time, "refused in time", never},
    {&tallies::unasked, "admitted unasked", never},
    {&tallies::disagreeing, "records that disagree", never},
    {&tallies::forged, "admitted with a cookie that is not ours", never},
    {&tallies::bad_frames, "frames that no peer can take, or that leave out what was offered", never},
    {&tallies::unheard, "unheard, though nothing is lost", gives_up},
    {&tallies::stuck, "stuck, though nothing is lost", gives_up},
    {&tallies::overtaken, "overtaken, though all arrives in order", disorder},
    {&tallies::disturbed, "disturbed, though nothing happens", mishaps},
    {&tallies::apart, "refused by the other adaptor, though its clocks agree", clocks_differ},
    {&tallies::gone, "gone, though programs and connections stay", state_lost},
    {&tallies::by_the_stack, "conducted by the stack, though programs stay", stack_asked},
    {&tallies::provoked, "provoked, though nobody attacks", [](const scenario& s) { return s.attack.replays; }},
    {&tallies::haunted, "haunted, though no ends are used again", [](const scenario& s) { return s.ports != 0; }},
    {&tallies::again, "admitted again, though nothing comes twice", old_copies},
};

// Of so many guesses, at most this many are taken: more, where the engine is right, in one run of a billion. Each has a
// chance of 2^-22, twice that while a former promise holds, and the number of those taken is Poisson's.
u64 most_guessed(u64 guesses) {
    const double expected = std::ldexp(static_cast<double>(guesses), -21);
    double exactly = std::exp(-expected);
    double more = 1 - exactly;
    u64 most = 0;
    while (more > 1e-9) {
        ++most;
        exactly *= expected / static_cast<double>(most);
        more -= exactly;
    }
    return most;
}

} // namespace

std::vector<std::string> wrongs_of(const row& r) {
    std::vector<std::string> wrongs;
    for (const bound& b : bounds)
        if (const u64 count = r.sum.*b.count; count != 0 && !b.accounted_for(r.what))
            wrongs.push_back(fmt::format("{}: {} {}", r.what.name, count, b.what));
    if (const u64 most = most_guessed(r.sum.guesses); r.sum.guessed > most)
        wrongs.push_back(fmt::format("{}: {} of {} guesses taken, {} at most can be chance", r.what.name, r.sum.guessed,
                                     r.sum.guesses, most));
    return wrongs;
}

} // namespace vestibule::test
