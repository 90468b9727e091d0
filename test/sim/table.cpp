#include "test/sim/table.hpp"

#include <cmath>

#include <fmt/format.h>

#include "test/support/print.hpp"

namespace vestibule::test {

namespace {

struct column {
    const char* head;
    const char* meaning;
    u64 tallies::* count;
};

const std::vector<column>& columns() {
    static const std::vector<column> all{
        {"handshakes", "peers that sent a SYN", &tallies::handshakes},
        {"served", "had their request acknowledged", &tallies::served},
        {"unheard", "gave up: no answer came to six SYNs, or the accept queue was full", &tallies::unheard},
        {"stuck", "gave up: what it said after the handshake was never acknowledged", &tallies::stuck},
        {"late", "completed when it was not in time any more (test/sim/patience.hpp says what is, here and below)",
         &tallies::late},
        {"disturbed", "refused in time, but keys were lost, or a clock set, between SYN-ACK and ACK",
         &tallies::disturbed},
        {"apart", "refused in time, by the other of two adaptors: their clocks differ", &tallies::apart},
        {"overtaken", "without timestamps, and a later segment came before the first: reset, as DESIGN.md says",
         &tallies::overtaken},
        {"gone",
         "reset while programs, or what the stack knew, were gone; because it answered the SYN as well; or since the "
         "accept queue filled up between admission and building",
         &tallies::gone},
        {"provoked", "reset by an attacker on the path", &tallies::provoked},
        {"haunted", "an old copy of an earlier connection's ACK came before its own", &tallies::haunted},
        {"REFUSED", "refused in time, for no such reason: must be 0", &tallies::refused_in_time},
        {"UNASKED", "connections that no peer had asked for, nor a guess brought in: must be 0", &tallies::unasked},
        {"DISAGREE", "records that contradict the SYN-ACK or each other: must be 0", &tallies::disagreeing},
        {"FORGED", "connections whose cookie a second implementation denies: must be 0", &tallies::forged},
        {"BAD", "frames that a peer could not take, SYN-ACKs that leave out what was offered: must be 0",
         &tallies::bad_frames},
        {"stack", "handshakes that the stack conducted itself", &tallies::by_the_stack},
        {"again", "admitted once more, after the connection was gone, by an old copy of the ACK", &tallies::again},
        {"twice", "records that the stack drops: the connection has just been built from another", &tallies::unbuilt},
        {"SYNs+", "SYNs sent again", &tallies::syns_resent},
        {"data+", "data sent again", &tallies::data_resent},
        {"old", "segments that a peer dropped as older than the last (PAWS)", &tallies::too_old},
        {"guesses", "ACKs sent on the chance that they are taken", &tallies::guesses},
        {"guessed", "those that were", &tallies::guessed},
    };
    return all;
}

int width_of(const column& c) {
    return std::max<int>(9, static_cast<int>(std::string(c.head).size()) + 1);
}

constexpr int name_width = 26;

std::string legend() {
    std::string text = "One seed, one table; test/sim/main.cpp says how it is made.\n\n";
    for (const column& c : columns())
        text += fmt::format("{:<11} {}\n", c.head, c.meaning);
    return text + "\n";
}

std::string outcomes(const std::vector<row>& rows) {
    std::string text = fmt::format("{:<{}}", "", name_width);
    for (const column& c : columns())
        text += fmt::format("{:>{}}", c.head, width_of(c));
    text += '\n';
    for (const row& r : rows) {
        text += fmt::format("{:<{}}", r.what.name, name_width);
        for (const column& c : columns())
            text += fmt::format("{:>{}}", r.sum.*c.count, width_of(c));
        text += '\n';
    }
    return text;
}

u64 total(const std::vector<row>& rows, u64 tallies::* count) {
    u64 sum = 0;
    for (const row& r : rows)
        sum += r.sum.*count;
    return sum;
}

std::string chances(const std::vector<row>& rows) {
    const u64 guesses = total(rows, &tallies::guesses);
    return fmt::format("\n{} handshakes; {} guesses, of which 2^-22 each, {:.2f} together, may be taken (twice that "
                       "while a former promise holds); {} were\n",
                       total(rows, &tallies::handshakes), guesses, std::ldexp(static_cast<double>(guesses), -22),
                       total(rows, &tallies::guessed));
}

std::string reasons(const std::vector<row>& rows) {
    std::string text = "\nReasons met by frames, at the adaptor and at the handoff:\n\n";
    for (u32 why = 0; why < reason_count; ++why) {
        u64 sum = 0;
        for (const row& r : rows)
            sum += r.sum.reasons[why];
        if (sum != 0)
            text += fmt::format("{:<{}}{:>9}\n", name_of(static_cast<reason>(why)), name_width, sum);
    }
    return text;
}

} // namespace

std::string table_of(const std::vector<row>& rows) {
    return legend() + outcomes(rows) + chances(rows) + reasons(rows);
}

} // namespace vestibule::test
