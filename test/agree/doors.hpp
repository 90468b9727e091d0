// The doors of the host that frames knock at: one port for each thing that a listener or its answer can be, on an address
// of each family. The same table opens real sockets, fills the answers map, and makes up the host for the native engine.
#pragma once

#include <string>
#include <vector>

#include "test/support/draft.hpp"
#include "test/support/native.hpp"

namespace vestibule::test {

enum trait : u32 {
    listens = 1U << 0,
    takes_fast_open = 1U << 1,
    has_md5_key = 1U << 2,
    multipath = 1U << 3,
    full = 1U << 4,
    one_short_of_full = 1U << 5,
    waits_for_data = 1U << 6,
    has_small_mss = 1U << 7,
    for_both_families = 1U << 8, // one IPv6 socket that takes IPv4 too
    keeps_syns = 1U << 9,
};

struct door {
    std::string name;
    u16 port;
    u32 traits;
    bool on_file;
    answer given;
};

constexpr u32 loopback_index = 1;
constexpr u32 token = 0x7e4ea75a;
constexpr u32 untracked_mark = 0x5afe0001;
constexpr u16 small_mss = 1000;

constexpr u16 plain_port = 8000;
constexpr u16 deferring_port = 8005;

// The connections that the host has with itself, by what has become of them.
struct own_connection {
    std::string state;
    u16 from_port;
    u16 to_port;
};
const std::vector<own_connection>& own_connections();

// VLANs on which the plain door is answered too.
constexpr tags answered_vlan{5, 0};
constexpr tags answered_double_vlan{100, 6};

inline address host_address(bool v6) {
    return ip(v6 ? "2001:db8::1" : "192.0.2.1");
}
inline address client_address(bool v6) {
    return ip(v6 ? "2001:db8::2" : "192.0.2.2");
}

// Peers to whom the host knows a way of its own, by its kind. To all others it knows none.
struct known_way {
    std::string name;
    const char* v4;
    const char* v6;
    way back;
};
const std::vector<known_way>& known_ways();

const std::vector<door>& doors();
const door& door_at(u16 port);
const door& door_called(const std::string& name);
key_ring keys();
listener facts(const door& d);

// All of it, as the native engine's host.
imagined_host imagine();

} // namespace vestibule::test
