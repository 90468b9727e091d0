#include "test/agree/corpus.hpp"

#include <ostream>
#include <random>
#include <utility>

#include "test/agree/doors.hpp"

namespace vestibule::test {

namespace {

using samples = std::vector<sample>;

// --- Making samples ---------------------------------------------------------------------------------------------------

void add(samples& all, std::string name, const bytes& frame) {
    all.push_back({std::move(name), [frame](u64) { return frame; }});
}

void add(samples& all, std::string name, const draft& d) {
    add(all, std::move(name), frame_of(d));
}

const char* family(bool v6) {
    return v6 ? "v6_" : "v4_";
}

// A good SYN to the plain door, of either family.
draft syn(bool v6, const bytes& options = opt::linux_syn(), u16 port = plain_port) {
    draft d = v6 ? test::v6() : test::v4();
    d.to_port = port;
    d.options = options;
    return d;
}

// A SYN with one thing changed, once for each family.
template <class Change>
void add_both(samples& all, const std::string& name, Change change) {
    for (const bool v6 : {false, true}) {
        draft d = syn(v6);
        change(d);
        add(all, family(v6) + name, d);
    }
}

template <class Change>
void add_v4(samples& all, const std::string& name, Change change) {
    draft d = syn(false);
    change(d);
    add(all, "v4_" + name, d);
}

template <class Change>
void add_v6(samples& all, const std::string& name, Change change) {
    draft d = syn(true);
    change(d);
    add(all, "v6_" + name, d);
}

// --- SYNs -------------------------------------------------------------------------------------------------------------

void every_door(samples& all) {
    const std::vector<std::pair<std::string, bytes>> offers{
        {"linux", opt::linux_syn()}, {"windows", opt::windows_syn()}, {"bare", {}}};
    for (const door& d : doors())
        for (const auto& [peer, options] : offers)
            for (const bool v6 : {false, true})
                add(all, family(v6) + ("door_" + d.name + "_" + peer), syn(v6, options, d.port));
}

std::vector<std::pair<std::string, bytes>> odd_options() {
    using namespace opt;
    return {
        {"mss_only", mss(1460)},
        {"nonsense_late", join({mss(1460), {77, 0}, bytes(14, 1)})},
        {"nonsense_early", join({mss(1460), {77, 0}, bytes(18, 1)})},
        {"nonsense_past_the_end", join({mss(1460), {2, 99}, bytes(22, 1)})},
        {"mss_0", mss(0)},
        {"mss_1", mss(1)},
        {"mss_535", mss(535)},
        {"mss_1219", mss(1219)},
        {"mss_65535", mss(65535)},
        {"mss_short", option(2, {5})},
        {"mss_long", option(2, {5, 0xb4, 0})},
        {"mss_twice", join({mss(1400), mss(900)})},
        {"mss_then_0", join({mss(1400), mss(0)})},
        {"scale_0", scale(0)},
        {"scale_14", scale(14)},
        {"scale_15", scale(15)},
        {"scale_255", scale(255)},
        {"scale_twice", join({scale(3), scale(9)})},
        {"scale_long", option(3, {7, 7})},
        {"sack", sack_permitted()},
        {"sack_long", option(4, {0})},
        {"sack_blocks", option(5, bytes(8, 1))},
        {"stamps", timestamps(0)},
        {"stamps_echoing", timestamps(1, 2)},
        {"stamps_short", option(8, bytes(7, 1))},
        {"stamps_long", option(8, bytes(9, 1))},
        {"stamps_twice", join({timestamps(1), timestamps(2)})},
        {"stamps_sack", join({timestamps(1), sack_permitted()})},
        {"stamps_scale", join({timestamps(1), scale(2)})},
        {"stamps_sack_scale", join({timestamps(1), sack_permitted(), scale(2)})},
        {"sack_scale", join({sack_permitted(), scale(2)})},
        {"scale_without_room", option(3, {})},
        {"mss_without_room", option(2, {})},
        {"nops", nop(40)},
        {"nops_then_mss", join({nop(36), mss(1400)})},
        {"one_nop_then_mss", join({nop(), mss(1400)})},
        {"end_first", join({end(), mss(1400)})},
        {"end_between", join({mss(1400), end(), scale(7)})},
        {"end_then_anything", join({mss(1400), end(), mss(900), sack_permitted(), bytes(29, 0xff)})},
        {"zeros", bytes(40, 0)},
        {"ones", bytes(40, 0xff)},
        {"unknown", join({option(77, bytes(9, 0xee)), mss(1400)})},
        {"unknown_empty", join({option(77, {}), mss(1400)})},
        {"unknown_all", option(77, bytes(38, 0xee))},
        {"length_0", join({mss(1400), {77, 0}, scale(7)})},
        {"length_1", join({mss(1400), {77, 1}, scale(7)})},
        {"length_past_end", join({mss(1400), {77, 6, 0, 0}})},
        {"length_255", join({{77, 255}, mss(1400), {0, 0}})},
        {"kind_at_end", join({mss(1400), nop(3), {3}})},
        {"mss_cut_by_header", {1, 1, 2, 4}},
        {"stamps_cut_by_header", join({nop(2), {8, 10}})},
        {"md5", join({md5(), mss(1400)})},
        {"md5_empty", option(19, {})},
        {"authentication", authentication()},
        {"authentication_short", option(29, {1, 1})},
        {"fast_open_request", fast_open_request()},
        {"fast_open_cookie", join({mss(1460), fast_open_cookie()})},
        {"fast_open_experiment", fast_open_experiment()},
        {"fast_open_odd", option(34, bytes(5, 0xcc))},
        {"fast_open_long", option(34, bytes(18, 0xcc))},
        {"fast_open_first_experiment", option(253, two(0xf989))},
        {"fast_open_experiment_cookie", option(254, join({two(0xf989), bytes(8, 0xcc)}))},
        {"other_experiment", option(254, two(0xe2d4))},
        {"short_experiment", option(254, {0xf9})},
        {"multipath_capable", multipath_capable()},
        {"multipath_join", multipath_join()},
        {"multipath_short", option(30, {0x10})},
        {"multipath_other", option(30, {0x2f, 1, 0xaa, 0xaa})},
    };
}

void every_option(samples& all) {
    for (const auto& [name, options] : odd_options())
        for (const bool v6 : {false, true})
            add(all, family(v6) + ("options_" + name), syn(v6, options));
    for (const char* at : {"fast_open", "signed_one", "multipath", "full", "gone", "unasked", "nobody"})
        for (const char* name : {"fast_open_request", "fast_open_cookie", "fast_open_experiment", "md5",
                                 "multipath_join", "authentication"})
            for (const auto& [called, options] : odd_options())
                if (called == name)
                    add(all, std::string("v4_options_") + name + "_at_" + at,
                        syn(false, options, door_called(at).port));
}

void every_flag(samples& all) {
    for (u32 flags = 0; flags < 256; ++flags)
        add_v4(all, "flags_" + std::to_string(flags), [&](draft& d) { d.flags = static_cast<u8>(flags); });
    for (u8 reserved = 0; reserved < 16; ++reserved)
        add_both(all, "reserved_" + std::to_string(reserved), [&](draft& d) { d.reserved = reserved; });
}

void explicit_congestion(samples& all) {
    for (const char* at : {"plain", "no_ecn", "classic_ecn", "needing_ecn"})
        for (u8 codepoint = 0; codepoint < 4; ++codepoint)
            for (u8 bits = 0; bits < 16; ++bits)
                add_both(all, std::string("ecn_") + at + "_" + std::to_string(codepoint) + std::to_string(bits),
                         [&](draft& d) {
                             d.to_port = door_called(at).port;
                             d.traffic_class = static_cast<u8>(0x20 | codepoint);
                             d.flags = static_cast<u8>(wire::syn | (bits & 3) << 6); // ECE, CWR
                             d.reserved = bits >> 2;                                 // AE and its neighbour
                         });
    for (u32 traffic_class = 0; traffic_class < 256; traffic_class += 17)
        add_both(all, "class_reflected_" + std::to_string(traffic_class), [&](draft& d) {
            d.to_port = door_called("reflecting").port;
            d.traffic_class = static_cast<u8>(traffic_class);
        });
}

void every_address(samples& all) {
    const char* odd[]{"0.0.0.0",         "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
                      "255.255.255.255", "::",      "::1",       "ff02::1",   "ff0e::101",       "fe80::1",
                      "fc00::1",         "::2",     "1.0.0.0",   "10.0.0.1",  "64:ff9b::1",      "feff::1",
                      "0:0:1::",         "0:1::1",  "1::1",      "ff00::",    "255.255.255.254", "0.128.0.1",
                      "::1:0:0:1"};
    int number = 0;
    for (const char* text : odd) {
        const address a = ip(text);
        for (const bool as_source : {false, true}) {
            draft d = syn(!is_v4(a));
            (as_source ? d.source : d.destination) = a;
            add(all, (as_source ? "address_from_" : "address_to_") + std::to_string(number), d);
        }
        ++number;
    }
    add_both(all, "address_to_itself", [](draft& d) { d.source = d.destination; });
    add_v6(all, "address_mapped_source", [](draft& d) { d.source = ip("198.51.100.7"); });
    add_v6(all, "address_mapped_destination", [](draft& d) { d.destination = ip("192.0.2.1"); });
}

// --- Layers below -----------------------------------------------------------------------------------------------------

void links(samples& all) {
    const std::vector<std::pair<std::string, std::vector<tag>>> stacks{
        {"priority_only", {{0xe000}}},
        {"answered", {{0x6005}}},
        {"service_tag", {{5, 0x88a8}}},
        {"answered_double", {{0x0064, 0x88a8}, {0x2006}}},
        {"double_of_8100", {{0x0064}, {6}}},
        {"inner_unanswered", {{0x0064, 0x88a8}, {7}}},
        {"unanswered", {{9}}},
        {"priority_and_tag", {{0}, {5}}},
        {"three", {{1}, {2}, {3}}},
        {"three_service", {{1, 0x88a8}, {2, 0x88a8}, {3, 0x88a8}}},
        {"other_tag_type", {{5, 0x9100}}}};
    for (const auto& [name, tags] : stacks)
        add_both(all, "vlan_" + name, [&](draft& d) { d.tags = tags; });
    for (const int type : {0x0806, 0x0040, 0x86dd, 0x0800, 0x8847, 0x8100, 0x0000, 0xffff})
        add_both(all, "ethertype_" + std::to_string(type), [&](draft& d) { d.type = static_cast<u16>(type); });
    add_both(all, "to_another_station", [](draft& d) { d.to[5] ^= 0x40; });
    add_both(all, "to_all_stations", [](draft& d) { d.to.fill(0xff); });
    for (const std::size_t length : {1, 6, 46, 400})
        add_both(all, "padded_by_" + std::to_string(length), [&](draft& d) { d.trailer = bytes(length, 0x5a); });
    for (const std::size_t length : {1, 4, 500, 1400, 2500, 5000, 8900})
        add_both(all, "data_of_" + std::to_string(length), [&](draft& d) { d.payload = bytes(length, 'x'); });
    add_both(all, "data_at_fast_open",
             [](draft& d) { d.to_port = door_called("fast_open").port, d.payload = bytes(4, 'x'); });
    add_both(all, "bare_data", [](draft& d) { d.options = {}, d.payload = bytes(4, 'x'); });
}

// Not the station that strangers are answered by.
void ways_back(samples& all) {
    const auto other = [](draft& d) { d.from[5] ^= 0x40; };
    add_both(all, "way_unknown", other);
    add_both(all, "way_unknown_of_sender_unknown", [](draft& d) { d.from.fill(0); });
    for (const known_way& w : known_ways())
        for (const char* at : {"plain", "any_way_back", "full", "gone", "unasked"})
            for (const bool by_other : {false, true})
                add_both(all, "way_" + w.name + "_at_" + at + (by_other ? "_by_another" : ""), [&](draft& d) {
                    d.source = ip(d.v6 ? w.v6 : w.v4);
                    d.to_port = door_called(at).port;
                    d.options = by_other ? opt::windows_syn() : d.options;
                    if (by_other)
                        other(d);
                });
    add_both(all, "way_next_to_one_known", [&](draft& d) {
        d.source = ip(d.v6 ? "2001:db8:41::43" : "203.0.113.43");
        other(d);
    });
    add_both(all, "way_on_vlan", [&](draft& d) {
        d.source = ip(d.v6 ? "2001:db8:41::41" : "203.0.113.41");
        d.tags = {{5}};
        other(d);
    });
}

void network_v4(samples& all) {
    for (std::size_t words = 1; words <= 10; ++words)
        add_v4(all, "ip_options_" + std::to_string(words), [&](draft& d) { d.ip_options = bytes(4 * words, 1); });
    const std::vector<bytes> ip_options{{131, 7, 4, 203, 0, 113, 9, 0},
                                        {1, 137, 7, 4, 203, 0, 113, 9},
                                        {0, 131, 7, 4},
                                        {7, 7, 4, 131, 137, 0, 0, 1},
                                        {7, 1, 4, 0},
                                        {1, 7, 4, 0},
                                        {1, 7, 3, 4},
                                        {148, 4, 0, 0},
                                        {1, 1, 1, 131}};
    for (std::size_t i = 0; i < ip_options.size(); ++i)
        add_v4(all, "ip_option_" + std::to_string(i), [&](draft& d) { d.ip_options = ip_options[i]; });
    for (const int lead : {0x00, 0x40, 0x44, 0x46, 0x4f, 0x55, 0x65, 0xf5})
        add_v4(all, "ip_lead_" + std::to_string(lead), [&](draft& d) { d.version_length = static_cast<u8>(lead); });
    for (const int length : {0, 19, 20, 39, 40, 59, 60, 61, 1500, 65535})
        add_v4(all, "ip_length_" + std::to_string(length), [&](draft& d) { d.ip_length = static_cast<u16>(length); });
    for (const int field : {0x0000, 0x2000, 0x6000, 0x8000, 0xa000, 0x0001, 0x2001, 0x1fff, 0x4001})
        add_v4(all, "ip_fragment_" + std::to_string(field), [&](draft& d) { d.fragment = static_cast<u16>(field); });
    add_v4(all, "ip_fragment_to_nobody", [](draft& d) { d.fragment = 0x2000, d.to_port = door_called("nobody").port; });
    add_v4(all, "ip_fragment_to_unasked",
           [](draft& d) { d.fragment = 0x2000, d.to_port = door_called("unasked").port; });
    for (const int length : {20, 23, 24, 28, 36, 39, 40, 44}) {
        draft d = syn(false);
        d.fragment = 0x2000;
        d.ip_length = static_cast<u16>(length);
        add(all, "v4_ip_fragment_with_" + std::to_string(length), d);
        add(all, "v4_ip_fragment_of_" + std::to_string(length), truncated(frame_of(d), 14U + *d.ip_length));
    }
    add_v4(all, "ip_fragment_of_an_ack",
           [](draft& d) { d.fragment = 0x2000, d.ip_length = u16{40}, d.flags = wire::ack; });
    add_v4(all, "ip_protocol_17_empty", [](draft& d) { d.protocol = 17, d.ip_length = u16{20}; });
    for (const int protocol : {0, 1, 17, 41, 132, 255})
        add_v4(all, "ip_protocol_" + std::to_string(protocol),
               [&](draft& d) { d.protocol = static_cast<u8>(protocol); });
    add_v4(all, "ip_checksum_wrong", [](draft& d) { d.ip_checksum = u16{0x1234}; });
    add_v4(all, "ip_checksum_wrong_with_options",
           [](draft& d) { d.ip_checksum = u16{0x1234}, d.ip_options = bytes(8, 1); });
    add_v4(all, "ip_hop_limit_0", [](draft& d) { d.hop_limit = 0; });
}

void network_v6(samples& all) {
    using namespace ext;
    const std::vector<std::pair<std::string, std::vector<extension>>> chains{
        {"hop_by_hop", {hop_by_hop()}},
        {"destination_long", {destination(100)}},
        {"routing", {routing(0)}},
        {"routing_on", {routing(1)}},
        {"hop_by_hop_twice", {hop_by_hop(), hop_by_hop()}},
        {"hop_by_hop_late", {destination(), hop_by_hop()}},
        {"any_order", {routing(0), destination(), routing(0), destination()}},
        {"routing_of_old", {{wire::header_routing, {0, 0, 0, 0, 0, 0}}}},
        {"routing_of_old_on", {{wire::header_routing, {0, 1, 0, 0, 0, 0}}}},
        {"many_kinds", {hop_by_hop(), destination(3), routing(0), destination()}},
        {"seven", std::vector<extension>(7, destination())},
        {"eight", std::vector<extension>(8, destination())},
        {"nine", std::vector<extension>(9, destination())},
        {"eight_long", std::vector<extension>(8, destination(20))},
        {"first_fragment", {fragment(0, true)}},
        {"atomic_fragment", {fragment(0, false)}},
        {"later_fragment", {fragment(185, true)}},
        {"last_fragment", {fragment(185, false)}},
        {"reserved_in_fragment", {{wire::header_fragment, {0, 7, 0, 0, 0, 0}, u8{200}}}},
        {"fragment_first", {fragment(0, true), destination()}},
        {"fragment_inside", {hop_by_hop(), fragment(0, true), destination()}},
        {"past_packet", {{wire::header_destination, bytes(6, 0), u8{200}}}},
        {"past_packet_second", {destination(), {wire::header_destination, bytes(6, 0), u8{9}}}},
        {"authentication", {{51, bytes(6, 0), u8{0}}}},
        {"unknown", {{200, bytes(6, 0), u8{0}}}},
    };
    for (const auto& [name, chain] : chains)
        add_v6(all, "chain_" + name, [&](draft& d) { d.extensions = chain; });
    add_v6(all, "chain_fragment_to_nobody", [](draft& d) {
        d.extensions = {fragment(0, true)};
        d.to_port = door_called("nobody").port;
    });
    for (const int length : {8, 11, 12, 16, 24, 27, 28, 32})
        add_v6(all, "chain_fragment_of_" + std::to_string(length), [&](draft& d) {
            d.extensions = {fragment(0, true)};
            d.ip_length = static_cast<u16>(length);
        });
    for (const int length : {8, 16, 39, 40, 44})
        add_v6(all, "chain_in_two_fragments_at_" + std::to_string(length), [&](draft& d) {
            d.extensions = {fragment(0, true), destination(4)};
            d.ip_length = static_cast<u16>(length);
        });
    add_v6(all, "chain_routing_on_fills_packet", [](draft& d) { d.extensions = {routing(1)}, d.ip_length = u16{8}; });
    for (const int next : {0, 17, 43, 44, 50, 51, 58, 59, 60, 135})
        add_v6(all, "next_header_" + std::to_string(next), [&](draft& d) { d.protocol = static_cast<u8>(next); });
    for (const int next : {17, 58, 59})
        add_v6(all, "chain_then_" + std::to_string(next), [&](draft& d) {
            d.extensions = {hop_by_hop()};
            d.protocol = static_cast<u8>(next);
        });
    for (const int length : {0, 19, 20, 39, 40, 41, 1500, 65535})
        add_v6(all, "payload_length_" + std::to_string(length),
               [&](draft& d) { d.ip_length = static_cast<u16>(length); });
    for (const int version : {0x00, 0x40, 0x50, 0x70})
        add_v6(all, "version_" + std::to_string(version >> 4),
               [&](draft& d) { d.version_length = static_cast<u8>(version); });
}

void tcp_headers(samples& all) {
    for (u8 offset = 0; offset < 16; ++offset) {
        add_both(all, "data_offset_" + std::to_string(offset), [&](draft& d) { d.data_offset = offset; });
        add_both(all, "data_offset_full_" + std::to_string(offset), [&](draft& d) {
            d.data_offset = offset;
            d.options = join({opt::linux_syn(), opt::nop(20)});
        });
    }
    for (const u32 sequence : {0U, 1U, 0x7fffffffU, 0xffffffffU, token})
        add_both(all, "sequence_" + std::to_string(sequence), [&](draft& d) { d.sequence = sequence; });
    for (const u16 port : {u16{0}, u16{1}, u16{65535}})
        add_both(all, "from_port_" + std::to_string(port), [&](draft& d) { d.from_port = port; });
    add_both(all, "to_port_0", [](draft& d) { d.to_port = 0; });
    add_both(all, "checksum_wrong", [](draft& d) { d.tcp_checksum = u16{0x1234}; });
    for (const own_connection& c : own_connections())
        for (const int neighbour : {0, 100})
            add_both(all, "syn_of_" + c.state + (neighbour != 0 ? "_neighbour" : ""), [&](draft& d) {
                d.source = client_address(d.v6);
                d.from_port = static_cast<u16>(c.from_port + neighbour);
                d.to_port = c.to_port;
            });
}

// --- Completing segments ----------------------------------------------------------------------------------------------

struct completing {
    draft syn;
    u64 age_ms = 250;
    u32 parity = 1;      // which key made the cookie
    bool former = false; // answered with the shift promised before
    std::function<void(draft&)> change = [](draft&) {};
};

synack answer_to(const completing& h, u64 now_ms) {
    const read_frame r = read(frame_of(h.syn));
    answer a = door_at(h.syn.to_port).given;
    if (h.former)
        for (promise* p : {&a.with_timestamps, &a.without_timestamps})
            p->shift = p->former_shift;
    key_ring ring = keys();
    ring.current = h.parity;
    return attempts::compose(r.s, r.o, a, {ring, now_ms - h.age_ms, loopback_index, token, true});
}

// The ACK that a peer with this SYN's options would send.
bytes ack_at(const completing& h, u64 now_ms) {
    const synack r = answer_to(h, now_ms);
    draft d = h.syn;
    d.flags = wire::ack;
    d.reserved = 0;
    d.sequence = h.syn.sequence + 1;
    d.acknowledgment = r.isn + 1;
    d.options = r.timestamps ? opt::stamped(0x11223399, r.timestamp) : bytes{};
    h.change(d);
    return frame_of(d);
}

void add(samples& all, std::string name, const completing& h) {
    all.push_back({std::move(name), [h](u64 now_ms) { return ack_at(h, now_ms); }});
}

// The same change to the completing ACK of peers with and without timestamps, of both families.
template <class Change>
void add_acks(samples& all, const std::string& name, Change change, u16 port = plain_port) {
    for (const bool v6 : {false, true}) {
        completing h{.syn = syn(v6, opt::linux_syn(), port), .change = change};
        add(all, family(v6) + ("ack_" + name + "_stamped"), h);
        h.syn.options = opt::windows_syn();
        add(all, family(v6) + ("ack_" + name), h);
    }
}

void good_acks(samples& all) {
    for (const door& d : doors())
        add_acks(all, "door_" + d.name, [](draft&) {}, d.port);
    for (const auto& [name, options] : odd_options())
        add(all, "v4_ack_to_" + name, completing{.syn = syn(false, options)});
    for (const char* at : {"deferring", "full", "plain", "small"})
        add_acks(all, std::string("data_") + at, [](draft& d) { d.payload = bytes(100, 'x'); }, door_called(at).port);
    add_acks(all, "fin_deferring", [](draft& d) { d.flags |= wire::fin; }, deferring_port);
    add_acks(all, "big_data", [](draft& d) { d.payload = bytes(1448, 'x'); });
    add_acks(all, "vlan", [](draft& d) { d.tags = {{5}}; });
    add_acks(all, "vlan_double", [](draft& d) { d.tags = {{100, 0x88a8}, {6}}; });
    add_acks(all, "vlan_unanswered", [](draft& d) { d.tags = {{9}}; });
    add_acks(all, "padded", [](draft& d) { d.trailer = bytes(6, 0); });
    add(all, "v4_ack_ip_options",
        completing{.syn = syn(false), .change = [](draft& d) { d.ip_options = bytes(8, 1); }});
    add(all, "v6_ack_chain", completing{.syn = syn(true), .change = [](draft& d) {
                                            d.extensions = {ext::hop_by_hop(), ext::destination()};
                                        }});
    draft ecn = syn(false);
    ecn.flags = wire::syn | wire::ece | wire::cwr;
    add(all, "v4_ack_ecn", completing{.syn = ecn});
}

void bad_acks(samples& all) {
    add_acks(all, "acknowledging_more", [](draft& d) { d.acknowledgment += 1; });
    add_acks(all, "acknowledging_less", [](draft& d) { d.acknowledgment -= 1; });
    add_acks(all, "sequence_later", [](draft& d) { d.sequence += 1448; });
    add_acks(all, "from_another_port", [](draft& d) { d.from_port += 1; });
    add_acks(all, "to_another_port", [](draft& d) { d.to_port = door_called("small").port; });
    add_acks(all, "of_nothing", [](draft& d) { d.acknowledgment = 0; });
    add_acks(all, "rehearsal", [](draft& d) { d.sequence = token; });
    add_acks(all, "rehearsal_untracked", [](draft& d) { d.sequence = token, d.acknowledgment = token ^ 2; });
    add_acks(all, "checksum_wrong", [](draft& d) { d.tcp_checksum = u16{0x1234}; });
    add_acks(all, "stamped_by_none", [](draft& d) { d.options = {}; });
    add_acks(all, "stamped_at_random", [](draft& d) { d.options = opt::stamped(1, 0xdeadbeef); });
    add_acks(all, "options_of_a_syn", [](draft& d) {
        d.options = join({opt::mss(900), opt::scale(1), opt::sack_permitted(), opt::fast_open_request()});
    });
    add_acks(all, "signed", [](draft& d) { d.options = opt::md5(); });
    add_acks(all, "multipath", [](draft& d) { d.options = opt::multipath_capable(); });
    add_acks(all, "congested", [](draft& d) { d.traffic_class = 3, d.flags |= wire::ece | wire::cwr; });
    for (const own_connection& c : own_connections())
        add_acks(all, "of_" + c.state, [c](draft& d) {
            d.source = client_address(d.v6);
            d.from_port = c.from_port;
            d.to_port = c.to_port;
        });
    add(all, "v6_ack_to_a_mapped_address",
        completing{.syn = syn(true), .change = [](draft& d) { d.destination = ip("192.0.2.1"); }});
    add(all, "v4_ack_fragment", completing{.syn = syn(false), .change = [](draft& d) { d.fragment = 0x2000; }});
    add(all, "v6_ack_fragment",
        completing{.syn = syn(true), .change = [](draft& d) { d.extensions = {ext::fragment(0, true)}; }});
}

void acks_in_time(samples& all) {
    for (const bool v6 : {false, true})
        for (const bytes& options : {opt::linux_syn(), opt::windows_syn()}) {
            const std::string peer = family(v6) + std::string(options == opt::linux_syn() ? "ack_stamped_" : "ack_");
            for (const u64 age : {0, 1, 59'999, 60'000, 60'001, 100'000})
                add(all, peer + "age_" + std::to_string(age), completing{.syn = syn(v6, options), .age_ms = age});
            add(all, peer + "from_the_future", completing{.syn = syn(v6, options), .age_ms = ~0ULL});
            add(all, peer + "other_key", completing{.syn = syn(v6, options), .parity = 0});
            add(all, peer + "echo_of_nothing",
                completing{.syn = syn(v6, options), .change = [](draft& d) { d.options = opt::stamped(1, 0); }});
            add(all, peer + "echo_of_nothing_bad_cookie", completing{.syn = syn(v6, options), .change = [](draft& d) {
                                                                         d.options = opt::stamped(1, 0);
                                                                         d.acknowledgment += 1;
                                                                     }});
            for (const char* at : {"rescaled", "long_rescaled"})
                add(all, peer + "former_" + at,
                    completing{.syn = syn(v6, options, door_called(at).port), .former = true});
        }
}

void ack_flags(samples& all) {
    for (u32 flags = 0; flags < 256; ++flags)
        add(all, "v4_ack_flags_" + std::to_string(flags),
            completing{.syn = syn(false), .change = [flags](draft& d) { d.flags = static_cast<u8>(flags); }});
}

// --- Frames cut short, frames disturbed -------------------------------------------------------------------------------

samples whole_frames() {
    samples whole;
    add(whole, "v4_syn", syn(false));
    add(whole, "v6_syn", syn(true));
    draft tagged = syn(false);
    tagged.tags = {{100, 0x88a8}, {6}};
    tagged.ip_options = bytes(12, 1);
    add(whole, "v4_syn_tagged", tagged);
    draft chained = syn(true);
    chained.extensions = {ext::hop_by_hop(), ext::destination(2), ext::routing(0)};
    add(whole, "v6_syn_chained", chained);
    add(whole, "v4_ack", completing{.syn = syn(false), .change = [](draft& d) { d.payload = {'G', 'E', 'T'}; }});
    add(whole, "v6_ack", completing{.syn = syn(true), .change = [](draft& d) { d.payload = {'G', 'E', 'T'}; }});
    return whole;
}

void cut_short(samples& all) {
    for (const sample& whole : whole_frames())
        for (std::size_t length = 0; length < whole.frame(100'000).size(); ++length)
            all.push_back({whole.name + "_cut_at_" + std::to_string(length),
                           [whole, length](u64 now_ms) { return truncated(whole.frame(now_ms), length); }});
}

bytes disturbed(bytes frame, u32 seed) {
    std::mt19937 random(seed);
    for (u32 changes = 1 + random() % 3; changes > 0; --changes)
        frame[random() % frame.size()] = static_cast<u8>(random());
    return frame;
}

void disturb(samples& all) {
    for (const sample& whole : whole_frames())
        for (u32 seed = 1; seed <= 60; ++seed)
            all.push_back({whole.name + "_disturbed_" + std::to_string(seed),
                           [whole, seed](u64 now_ms) { return disturbed(whole.frame(now_ms), seed); }});
}

} // namespace

std::vector<sample> corpus() {
    samples all;
    for (const auto& chapter :
         {every_door, every_option, every_flag, explicit_congestion, every_address, links, ways_back, network_v4,
          network_v6, tcp_headers, good_acks, bad_acks, acks_in_time, ack_flags, cut_short, disturb})
        chapter(all);
    return all;
}

void PrintTo(const sample& s, std::ostream* out) {
    *out << s.name;
}

} // namespace vestibule::test
