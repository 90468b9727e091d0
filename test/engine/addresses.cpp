// Addresses that no connection can have: RFC 9293 section 3.9.2.3 (MUST-57, MUST-63), RFC 1122 section 3.2.1.3, RFC
// 4291.
//
// Not the adaptor's:
//   1122 3.2.1.3  broadcasts of a subnet - no answer is on file for one: the stack's
//   1122 3.2.1.8  ICMP about such a segment - none is due
//   9293 3.9.2.3  MUST-46, local address of an active OPEN - the adaptor opens nothing
#include "test/engine/judgement.hpp"

namespace vestibule::test {
namespace {

draft from(const address& a) {
    return is_v4(a) ? v4({.source = a}) : v6({.source = a});
}
draft to(const address& a) {
    return is_v4(a) ? v4({.destination = a}) : v6({.destination = a});
}

void expect_dropped_at_both_ends(const std::vector<const char*>& addresses) {
    for (const char* text : addresses) {
        EXPECT_EQ(met(from(ip(text))), dropped(reason::bad_address)) << text;
        EXPECT_EQ(met(to(ip(text))), dropped(reason::bad_address)) << text;
    }
}

TEST(rfc9293_3_9_2_3, multicast_is_dropped_at_both_ends) {
    expect_dropped_at_both_ends({"224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::101", "ff00::"});
}

TEST(rfc9293_3_9_2_3, broadcast_is_dropped_at_both_ends) {
    expect_dropped_at_both_ends({"255.255.255.255"});
}

TEST(rfc1122_3_2_1_3, this_host_and_this_network_are_dropped_at_both_ends) {
    expect_dropped_at_both_ends({"0.0.0.0", "0.1.2.3", "0.128.0.1", "0.255.255.255"});
}

TEST(rfc1122_3_2_1_3, loopback_never_travels) {
    expect_dropped_at_both_ends({"127.0.0.1", "127.128.0.1", "127.255.255.255"});
}

TEST(rfc4291_2_5_2, the_unspecified_address_is_dropped_at_both_ends) {
    expect_dropped_at_both_ends({"::"});
}

TEST(rfc4291_2_5_3, loopback_never_travels) {
    expect_dropped_at_both_ends({"::1"});
}

TEST(rfc4291_2_5_5_2, mapped_addresses_never_travel) {
    draft d = v6();
    d.source = ip("198.51.100.7");
    EXPECT_EQ(met(d), dropped(reason::bad_address));
    d = v6();
    d.destination = ip("192.0.2.1");
    EXPECT_EQ(met(d), dropped(reason::bad_address));
}

// Martians (RFC 1812 section 5.3.7): a packet from our own address did not come by this wire.
TEST(rfc1122_3_2_1_3, a_source_that_is_the_destination_is_dropped) {
    EXPECT_EQ(met(v4({.source = ip("192.0.2.1")})), dropped(reason::bad_address));
    EXPECT_EQ(met(v6({.source = ip("2001:db8::1")})), dropped(reason::bad_address));
}

TEST(rfc9293_3_9_2_3, neighbours_of_impossible_addresses_are_possible) {
    for (const char* peer : {"1.0.0.0", "126.255.255.255", "128.0.0.1", "223.255.255.255", "10.0.0.1"})
        EXPECT_EQ(met(from(ip(peer))), answered) << peer;
    for (const char* peer :
         {"::2", "fe80::1", "fd00::1", "64:ff9b::c633:6407", "feff::1", "0:0:1::", "0:1::1", "1::1", "::1:0:0:1"})
        EXPECT_EQ(met(from(ip(peer))), answered) << peer;
}

// Reserved, but routed by Linux, and some sites number their machines from it.
TEST(rfc1112_4, class_e_is_possible) {
    EXPECT_EQ(met(from(ip("240.0.0.1"))), answered);
    EXPECT_EQ(met(from(ip("255.255.255.254"))), answered);
}

TEST(rfc9293_3_9_2_3, whatever_else_may_be_said_of_such_a_syn_it_is_dropped_first) {
    world w;
    w.on_file = false;
    w.answering = false;
    w.socket.state = socket_state::absent;
    EXPECT_EQ(met(from(ip("224.0.0.1")), w), dropped(reason::bad_address));
}

} // namespace
} // namespace vestibule::test
