// Visits to a server, from many addresses: visitors begin connections at a steady pace, in turn from several
// addresses, and fetch a small page over each; or they wait to be greeted, where the server speaks first. A visit is
// completed when the page is there within --patience seconds of the first SYN.
#pragma once

#include <string>

#include "abi/scalar.hpp"

namespace vestibule::lab {

struct invitation {
    std::string server;  // IPv4 or IPv6 address
    std::string sources; // prefix of the visitors' addresses
    u16 port = 80;
    u16 first_port = 0;  // the visitors' ports, from here on; 0: the kernel chooses
    bool silent = false; // nothing is asked: the server greets its visitors (220) and hangs up
    double rate = 100;   // visits begun per second
    double seconds = 5;  // how long visits are begun
    double patience = 3; // seconds for a visit
    double delay = 0;    // seconds between the line `ready` and the first visit
};

// Prints the line `ready`, then lines of JSON: the counts so far; in the end, besides, the seconds that each connect() took,
// and each visit; null where it did not connect, or was not completed. Throws std::runtime_error.
void visit_all(const invitation& to);

} // namespace vestibule::lab
