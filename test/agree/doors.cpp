#include "test/agree/doors.hpp"

#include <algorithm>

namespace vestibule::test {

namespace {

constexpr u8 allows_all = allows_window_scale | allows_sack | allows_timestamps | allows_ecn;
constexpr u64 never = ~0ULL;

answer generous() {
    answer a{};
    a.with_timestamps = {65160, 1460, 7, allows_all, 7, 0};
    a.without_timestamps = {64240, 1460, 8, allows_all, 8, 0};
    __builtin_memcpy(a.link_address, host_link.data(), 6);
    __builtin_memcpy(a.way_back, peer_link.data(), 6);
    a.hop_limit = 64;
    a.state = service::served;
    a.dont_fragment = 1;
    return a;
}

template <class Change>
answer changed(Change change) {
    answer a = generous();
    change(a);
    return a;
}

answer allowing(u8 options) {
    return changed([&](answer& a) { a.with_timestamps.allows = a.without_timestamps.allows = options; });
}

// Either promise had another window scale, each its own.
answer rescaled(u64 until_ms) {
    return changed([&](answer& a) {
        a.with_timestamps.former_shift = 2;
        a.without_timestamps.former_shift = 3;
        a.former_until_ms = until_ms;
    });
}

std::vector<door> odd_answers() {
    return {
        {"miserly", 8020, listens, true, allowing(0)},
        {"no_timestamps", 8021, listens, true, allowing(allows_all & ~allows_timestamps)},
        {"no_sack", 8022, listens, true, allowing(allows_all & ~allows_sack)},
        {"no_scale", 8023, listens, true, allowing(allows_all & ~allows_window_scale)},
        {"no_ecn", 8024, listens, true, allowing(allows_all & ~allows_ecn)},
        {"left", 8025, listens, true, changed([](answer& a) { a.state = service::left; })},
        {"unasked", 8026, listens, false, generous()},
        {"other_station", 8027, listens, true, changed([](answer& a) { a.link_address[5] ^= 0x40; })},
        {"classic_ecn", 8028, listens, true, changed([](answer& a) { a.classic_ecn_for_accecn = 1; })},
        {"needing_ecn", 8038, listens, true, changed([](answer& a) { a.ecn_despite_ect = 1; })},
        {"labelled", 8029, listens, true, changed([](answer& a) { a.flow_label = 1; })},
        {"fragmentable", 8030, listens, true, changed([](answer& a) { a.dont_fragment = 0; })},
        {"classed", 8031, listens, true, changed([](answer& a) { a.traffic_class = 0x48, a.hop_limit = 255; })},
        {"reflecting", 8036, listens, true, changed([](answer& a) { a.traffic_class = 2, a.reflects_dscp = 1; })},
        {"untracked", 8032, listens, true, changed([](answer& a) { a.form = handoff_form::untracked; })},
        {"rescaled", 8033, listens, true, rescaled(never)},
        {"any_way_back", 8037, listens, true, changed([](answer& a) { __builtin_memset(a.way_back, 0, 6); })},
        {"long_rescaled", 8034, listens, true, rescaled(1)},
    };
}

std::vector<door> all() {
    std::vector<door> d{
        {"plain", plain_port, listens, true, generous()},
        {"fast_open", 8001, listens | takes_fast_open, true, generous()},
        {"keeping", 8013, listens | keeps_syns, true, generous()},
        {"signed_one", 8002, listens | has_md5_key, true, generous()},
        {"multipath", 8003, listens | multipath, true, generous()},
        {"full", 8004, listens | full, true, generous()},
        {"deferring", deferring_port, listens | waits_for_data, true, generous()},
        {"small", 8006, listens | has_small_mss, true, generous()},
        {"gone", 8007, 0, true, generous()},
        {"nobody", 8008, 0, false, generous()},
        {"full_unasked", 8009, listens | full, false, generous()},
        {"nearly_full", 8012, listens | one_short_of_full, true, generous()},
        {"both_families", 8011, listens | for_both_families, true, generous()},
        {"multipath_unasked", 8010, listens | multipath, false, generous()},
    };
    for (door& odd : odd_answers())
        d.push_back(std::move(odd));
    return d;
}

endpoint endpoint_of(const door& d, bool v6, tags vlan = {}) {
    return {loopback_index, vlan.outer, vlan.inner, host_address(v6), network(d.port), 0};
}

void add_connections(imagined_host& h, bool v6) {
    for (const own_connection& c : own_connections())
        h.connections.push_back({client_address(v6), network(c.from_port), host_address(v6), network(c.to_port)});
}

} // namespace

const std::vector<door>& doors() {
    static const std::vector<door> table = all();
    return table;
}

// A listener that waits for data keeps a connection without any half-open.
const std::vector<own_connection>& own_connections() {
    static const std::vector<own_connection> table{
        {"established", 30001, plain_port}, {"time_wait", 30002, plain_port}, {"half_open", 30003, deferring_port}};
    return table;
}

const std::vector<known_way>& known_ways() {
    static const std::vector<known_way> table{
        {"on_link", "192.0.2.40", "2001:db8::40", {{}, way_kind::on_link, 0}},
        {"by_station", "203.0.113.41", "2001:db8:41::41", {{2, 0, 0, 0, 0x41, 1}, way_kind::by_station, 0}},
        {"elsewhere", "203.0.113.42", "2001:db8:42::42", {{2, 0, 0, 0, 0x42, 1}, way_kind::elsewhere, 0}}};
    return table;
}

const door& door_at(u16 port) {
    return *std::ranges::find(doors(), port, &door::port);
}

const door& door_called(const std::string& name) {
    return *std::ranges::find(doors(), name, &door::name);
}

key_ring keys() {
    return {{{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL}, {0x1716151413121110ULL, 0x1f1e1d1c1b1a1918ULL}},
            {0x2726252423222120ULL, 0x2f2e2d2c2b2a2928ULL},
            1,
            0};
}

listener facts(const door& d) {
    listener l = in_state((d.traits & listens) != 0 ? socket_state::listening : socket_state::absent);
    l.queue_full = (d.traits & full) != 0;
    l.multipath = (d.traits & multipath) != 0;
    l.fast_open = (d.traits & takes_fast_open) != 0;
    l.demands_keys = (d.traits & has_md5_key) != 0;
    l.waits_for_data = (d.traits & waits_for_data) != 0;
    l.keeps_syns = (d.traits & keeps_syns) != 0;
    l.most_mss = (d.traits & has_small_mss) != 0 ? small_mss : u16{0};
    return l;
}

imagined_host imagine() {
    imagined_host h;
    for (const bool v6 : {false, true}) {
        for (const door& d : doors()) {
            h.doors.push_back({host_address(v6), network(d.port), facts(d)});
            if (d.on_file)
                h.answers.emplace_back(endpoint_of(d, v6), d.given);
        }
        for (const tags& vlan : {answered_vlan, answered_double_vlan})
            h.answers.emplace_back(endpoint_of(door_at(plain_port), v6, vlan), door_at(plain_port).given);
        for (const known_way& w : known_ways())
            h.ways.emplace_back(ip(v6 ? w.v6 : w.v4), w.back);
        add_connections(h, v6);
    }
    return h;
}

} // namespace vestibule::test
