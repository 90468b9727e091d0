// RFC 9293 sections 3.3.1 and 3.4: sequence numbers. How the initial one is made: rfc4987_3_6_cookies.cpp, rfc6528.cpp.
//
// Not the adaptor's:
//   3.4.1  MUST-8, the 4-microsecond clock - F alone makes the number: the keys change with the time instead (RFC 4987
//          3.6)
//   3.4.2  knowing when to keep quiet - a restart forgets nothing: keys come from the wall clock and a kept secret
//   3.4.3  quiet time - the same
#include "test/engine/handshake.hpp"

namespace vestibule::test {
namespace {

u32 isn_for(const draft& d, const world& w = {}) {
    return reply_to(d, w).sequence;
}

TEST(rfc9293_3_4, numbers_wrap) {
    EXPECT_EQ(reply_to(v4({.sequence = 0xffffffff})).acknowledgment, 0U);
    draft d = windows_v4();
    d.sequence = 0xffffffff;
    EXPECT_EQ(record_of(d).peer_isn, 0xffffffffU);
}

TEST(rfc9293_3_4_1, the_initial_number_depends_on_all_of_the_4_tuple) {
    const u32 first = isn_for(v4());
    EXPECT_NE(isn_for(v4({.from_port = 40001})), first);
    EXPECT_NE(isn_for(v4({.source = ip("198.51.100.8")})), first);
    EXPECT_NE(isn_for(v6()), first);
}

TEST(rfc9293_3_4_1, a_later_incarnation_of_a_connection_has_another_one) {
    world w;
    const u32 first = isn_for(v4(), w);
    EXPECT_NE(isn_for(v4({.sequence = 0x01020305}), w), first);
    w.keys.current ^= 1; // a minute on
    EXPECT_NE(isn_for(v4(), w), first);
}

TEST(rfc9293_3_4_1, a_repeated_syn_is_answered_with_the_same_one_while_the_key_lives) {
    world w;
    const u32 first = isn_for(linux_v4(), w);
    w.now_ms += 3000;
    EXPECT_EQ(isn_for(linux_v4(), w), first);
}

TEST(rfc9293_3_3_1, the_record_has_both_ends_and_both_initial_numbers) {
    const world w;
    const handshake h(linux_v6(), w);
    const established e = w.complete(h.ack()).record;
    EXPECT_TRUE(same(e.peer, ip("2001:db8::7")));
    EXPECT_TRUE(same(e.local, ip("2001:db8::1")));
    EXPECT_EQ(host(e.peer_port), 40000);
    EXPECT_EQ(host(e.local_port), 80);
    EXPECT_EQ(e.peer_isn, h.syn.sequence);
    EXPECT_EQ(e.local_isn, h.answer.isn);
}

} // namespace
} // namespace vestibule::test
