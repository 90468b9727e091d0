// What a SYN-ACK says, byte by byte: RFC 9293 sections 3.1 and 3.10.7.2, RFC 6691, RFC 7323, RFC 2018, RFC 3168, RFC 791,
// RFC 8200, IEEE 802.1Q. Replies are taken apart by test/support/reply.hpp, which shares nothing with the engine.
#include <gtest/gtest.h>

#include "test/engine/world.hpp"

namespace vestibule::test {
namespace {

reply reply_to(const draft& d, const world& w = {}) {
    const attempted a = w.attempt(d);
    EXPECT_EQ(a.result, (outcome{action::reply, reason::syn_answered}));
    return take_apart(a.reply);
}

bytes options_to(const bytes& offered, const world& w = {}) {
    return reply_to(v4({.options = offered}), w).options;
}

world allowing(u8 options) {
    world w;
    w.v4_answer.with_timestamps.allows = w.v4_answer.without_timestamps.allows = options;
    w.v6_answer = w.v4_answer;
    return w;
}

// The timestamp in a reply's options, wherever it stands.
u32 timestamp_in(const reply& r) {
    return four_at(r.options, 8);
}

u32 clock_for(const draft& d, const world& w) {
    return timestamp_clock(w.keys.clock, read(frame_of(d)).s, w.now_ms);
}

// --- Header -----------------------------------------------------------------------------------------------------------

TEST(synack_rfc9293_3_10_7_2, acknowledges_isn_plus_one_from_the_other_end) {
    const reply r = reply_to(v4({.sequence = 0xffffffff}));
    EXPECT_EQ(r.acknowledgment, 0U);
    EXPECT_EQ(r.flags, wire::syn | wire::ack);
    EXPECT_EQ(r.from_port, 80U);
    EXPECT_EQ(r.to_port, 40000U);
    EXPECT_EQ(r.source, (bytes{192, 0, 2, 1}));
    EXPECT_EQ(r.destination, (bytes{198, 51, 100, 7}));
}

TEST(synack_rfc9293_3_10_7_2, data_on_a_syn_is_not_acknowledged_and_not_sent_back) {
    const reply r = reply_to(v4({.sequence = 100, .payload = bytes(500, 'x')}));
    EXPECT_EQ(r.acknowledgment, 101U);
    EXPECT_TRUE(r.lengths_agree);
}

TEST(synack_rfc9293_3_1, reserved_bits_and_urgent_pointer_are_zero_whatever_came) {
    const reply r = reply_to(v4({.flags = wire::syn | wire::urg | wire::psh, .reserved = 15}));
    EXPECT_EQ(r.reserved, 0U);
    EXPECT_EQ(r.urgent, 0U);
    EXPECT_EQ(r.flags, wire::syn | wire::ack);
}

TEST(synack_rfc3168_6_1_1, says_ece_and_not_cwr_and_is_not_ecn_capable_itself) {
    world w;
    w.v4_answer.traffic_class = 0xb8;
    const reply r = reply_to(v4({.flags = wire::syn | wire::ece | wire::cwr}), w);
    EXPECT_EQ(r.flags, wire::syn | wire::ack | wire::ece);
    EXPECT_EQ(r.traffic_class, 0xb8U);
}

TEST(synack_rfc9768_3_1_2, ae_is_never_reflected) {
    world w;
    w.v4_answer.classic_ecn_for_accecn = 1;
    const reply r = reply_to(v4({.flags = wire::syn | wire::ece | wire::cwr, .reserved = 1}), w);
    EXPECT_EQ(r.reserved, 0U);
    EXPECT_EQ(r.flags, wire::syn | wire::ack | wire::ece);
}

TEST(synack_rfc7323_2_2, window_is_the_rehearsed_one_and_unscaled) {
    EXPECT_EQ(reply_to(v4({.options = opt::linux_syn()})).window, 65160U);
    EXPECT_EQ(reply_to(v4({.options = opt::windows_syn()})).window, 64240U);
}

// --- Options ----------------------------------------------------------------------------------------------------------

TEST(synack_rfc9293_3_7_1, mss_is_always_said_and_is_the_hosts_own) {
    world w;
    w.v4_answer.without_timestamps.mss = 1400;
    EXPECT_EQ(options_to({}, w), opt::mss(1400));
    EXPECT_EQ(options_to(opt::mss(9000), w), opt::mss(1400));
}

TEST(synack_options, stand_as_linux_puts_them) {
    const draft d = v4({.options = opt::linux_syn(0xcafe)});
    const bytes stamps = opt::timestamps(clock_for(d, {}), 0xcafe);
    EXPECT_EQ(reply_to(d).options, join({opt::mss(1460), opt::sack_permitted(), stamps, opt::nop(), opt::scale(7)}));
    EXPECT_EQ(options_to(opt::windows_syn()),
              join({opt::mss(1460), opt::nop(2), opt::sack_permitted(), opt::nop(), opt::scale(7)}));
}

// Every subset of what a peer may offer, against every subset of what a host allows.
TEST(synack_options, say_only_what_was_offered_and_is_allowed) {
    for (u32 offered = 0; offered < 8; ++offered)
        for (u32 allowed = 0; allowed < 8; ++allowed) {
            const bool scale = (offered & 1) != 0;
            const bool sack = (offered & 2) != 0;
            const bool stamps = (offered & 4) != 0;
            const draft d = v4({.options = join({opt::mss(1460), scale ? opt::scale(3) : bytes{},
                                                 sack ? opt::sack_permitted() : bytes{},
                                                 stamps ? opt::timestamps(0xbeef) : bytes{}})});
            const world w = allowing(static_cast<u8>(allowed)); // bits in the same order
            const u32 both = offered & allowed;
            const bytes clock = opt::timestamps(clock_for(d, w), 0xbeef);
            bytes expected = opt::mss(1460);
            if ((both & 4) != 0)
                expected = join({expected, (both & 2) != 0 ? opt::sack_permitted() : opt::nop(2), clock});
            else if ((both & 2) != 0)
                expected = join({expected, opt::nop(2), opt::sack_permitted()});
            if ((both & 1) != 0)
                expected = join({expected, opt::nop(), opt::scale(7)});
            EXPECT_EQ(reply_to(d, w).options, expected) << offered << " " << allowed;
        }
}

TEST(synack_options, window_mss_and_scale_are_those_of_the_class_of_offer) {
    world w;
    w.v4_answer.with_timestamps = {1111, 1311, 5, allows_all, 0};
    w.v4_answer.without_timestamps = {2222, 1322, 6, allows_all, 0};
    const reply with = reply_to(v4({.options = opt::linux_syn()}), w);
    EXPECT_EQ(with.window, 1111U);
    EXPECT_EQ(part(with.options, 0, 4), opt::mss(1311));
    EXPECT_EQ(part(with.options, 17, 3), opt::scale(5));
    const reply without = reply_to(v4({.options = opt::windows_syn()}), w);
    EXPECT_EQ(without.window, 2222U);
    EXPECT_EQ(part(without.options, 0, 4), opt::mss(1322));
    EXPECT_EQ(part(without.options, 9, 3), opt::scale(6));
}

TEST(synack_rfc7323_3_2, tsecr_is_the_peers_tsval_and_tsval_our_clock) {
    world w;
    const draft d = v4({.options = opt::timestamps(0xdeadbeef)});
    const reply first = reply_to(d, w);
    EXPECT_EQ(timestamp_in(first), clock_for(d, w));
    EXPECT_EQ(four_at(first.options, 12), 0xdeadbeefU);
    w.now_ms += 1234;
    EXPECT_EQ(timestamp_in(reply_to(d, w)) - timestamp_in(first), 1234U);
}

TEST(synack_rfc4987, a_repeated_syn_is_answered_with_the_same_isn_while_the_key_lives) {
    world w;
    const reply first = reply_to(v4({.options = opt::linux_syn()}), w);
    w.now_ms += 3000;
    EXPECT_EQ(reply_to(v4({.options = opt::linux_syn()}), w).sequence, first.sequence);
}

// --- Network and link -------------------------------------------------------------------------------------------------

TEST(synack_rfc791, hop_limit_class_and_df_are_the_rehearsed_ones) {
    world w;
    w.v4_answer.hop_limit = 255;
    w.v4_answer.traffic_class = 0x48;
    const reply r = reply_to(v4({.traffic_class = 0x20, .hop_limit = 3}), w);
    EXPECT_EQ(r.hop_limit, 255U);
    EXPECT_EQ(r.traffic_class, 0x48U);
    EXPECT_EQ(r.fragment, 0x4000U);
    EXPECT_EQ(r.identification, 0U);
}

TEST(synack_rfc6864_4_1, without_df_the_identification_differs_from_packet_to_packet) {
    world w;
    w.v4_answer.dont_fragment = 0;
    const reply one = reply_to(v4({.sequence = 1}), w);
    const reply two = reply_to(v4({.sequence = 2}), w);
    EXPECT_EQ(one.fragment, 0U);
    EXPECT_NE(one.identification, two.identification);
}

TEST(synack_rfc8200_3, hop_limit_and_class_are_the_rehearsed_ones) {
    world w;
    w.v6_answer.hop_limit = 200;
    w.v6_answer.traffic_class = 0x48;
    const reply r = reply_to(v6({.traffic_class = 0xff, .hop_limit = 3}), w);
    EXPECT_EQ(r.hop_limit, 200U);
    EXPECT_EQ(r.traffic_class, 0x48U);
}

TEST(synack_rfc6437_3, flow_label_is_the_connections_own_where_the_host_labels) {
    world w;
    EXPECT_EQ(reply_to(v6(), w).flow_label, 0U);
    w.v6_answer.flow_label = 1;
    const reply one = reply_to(v6({.sequence = 1}), w);
    const reply two = reply_to(v6({.sequence = 2}), w);
    EXPECT_NE(one.flow_label, 0U);
    EXPECT_NE(one.flow_label, two.flow_label);
    EXPECT_EQ(one.hop_limit, 64U);
}

TEST(synack_rfc791, ip_options_and_extension_headers_are_not_sent_back) {
    EXPECT_TRUE(reply_to(v4({.ip_options = bytes(40, 1)})).lengths_agree);
    const reply r = reply_to(v6({.extensions = {ext::hop_by_hop(), ext::destination(4)}, .options = opt::linux_syn()}));
    EXPECT_TRUE(r.lengths_agree);
    EXPECT_EQ(r.tcp_sum, 0U);
}

TEST(synack_link, goes_back_to_the_station_that_sent_the_syn) {
    const reply r = reply_to(v4());
    EXPECT_EQ(r.to, (bytes{peer_link.begin(), peer_link.end()}));
    EXPECT_EQ(r.from, (bytes{host_link.begin(), host_link.end()}));
}

TEST(synack_ieee_802_1q, goes_back_on_the_vlan_it_came_from_priority_and_all) {
    world w;
    imagined_host h = w.host_side();
    endpoint tagged = h.answers[0].first;
    tagged.outer_vlan = 100;
    tagged.inner_vlan = 5;
    h.answers.emplace_back(tagged, w.v4_answer);
    const draft d = v4({.tags = {{0xe064, 0x88a8}, {0x2005}}, .options = opt::linux_syn()});
    const attempted a = attempt(frame_of(d), h, w.moment());
    ASSERT_EQ(a.result.act, action::reply);
    const reply r = take_apart(a.reply);
    EXPECT_EQ(r.tags, (bytes{0x88, 0xa8, 0xe0, 0x64, 0x81, 0x00, 0x20, 0x05}));
    EXPECT_TRUE(r.lengths_agree);
    EXPECT_EQ(r.tcp_sum, 0U);
}

// --- Checksums and lengths, over all shapes of reply ------------------------------------------------------------------

std::vector<draft> variety() {
    std::vector<draft> all;
    const std::vector<bytes> offers{{},
                                    opt::linux_syn(),
                                    opt::windows_syn(),
                                    opt::timestamps(1),
                                    opt::scale(14),
                                    opt::sack_permitted(),
                                    join({opt::mss(65535), opt::timestamps(0xffffffff)})};
    for (const bytes& offered : offers)
        for (u32 i = 0; i < 200; ++i) {
            const u16 port = static_cast<u16>(i * 331 + 1);
            all.push_back(v4({.from_port = port, .sequence = i * 0x01234567, .options = offered}));
            all.push_back(v6({.from_port = port, .sequence = i * 0x089abcde, .options = offered}));
            all.push_back(v4({.flags = wire::syn | wire::ece | wire::cwr, .options = offered, .payload = bytes(i, 7)}));
        }
    return all;
}

TEST(synack_rfc9293_3_1, checksums_and_lengths_are_right_in_every_shape) {
    world w;
    w.v4_answer.dont_fragment = 0;
    w.v6_answer.flow_label = 1;
    for (const draft& d : variety()) {
        const reply r = reply_to(d, w);
        ASSERT_EQ(r.tcp_sum, 0U);
        ASSERT_EQ(r.ip_sum, 0U);
        ASSERT_TRUE(r.lengths_agree);
    }
}

TEST(synack, a_frame_without_room_is_refused_and_never_overrun) {
    const world w;
    for (const draft& d : {v4({.options = opt::linux_syn()}), v6({.options = opt::linux_syn()})}) {
        const attempted a = w.attempt(d);
        const segment s = read(frame_of(d)).s;
        for (std::size_t length = 0; length < a.reply.size(); ++length) {
            bytes room(length);
            EXPECT_FALSE(write_synack(span_of(room), s, a.answer)) << length;
        }
    }
}

} // namespace
} // namespace vestibule::test
