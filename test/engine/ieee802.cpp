// The link: IEEE 802.3, 802.1Q.
//
// Not the adaptor's:
//   802.3 3.2.9   frame check sequence - the driver's: no frame has it any more here
//   802.1Q 6.9    priority, drop eligibility - nobody here acts on them; a reply takes the ones that came
//   802.1Q 8.6.2  who may send on which VLAN - the bridge's
#include "test/engine/judgement.hpp"

namespace vestibule::test {
namespace {

draft with_tags(std::vector<tag> tags) {
    draft d = v4();
    d.tags = std::move(tags);
    return d;
}

TEST(ieee802_3_3_2_6, other_types_and_lengths_are_not_ours) {
    EXPECT_EQ(shape_of(v4({.type = u16{0x0806}})), shape::other);
    EXPECT_EQ(shape_of(v4({.type = u16{0x0040}})), shape::other); // a length
    EXPECT_EQ(met(v4({.type = u16{0x0806}})), passed(reason::not_tcp));
}

TEST(ieee802_3_3_2_6, the_type_decides_which_version_of_ip_is_read) {
    EXPECT_EQ(shape_of(v4({.type = u16{0x86dd}})), shape::malformed);
    EXPECT_EQ(shape_of(v6({.type = u16{0x0800}})), shape::malformed);
}

TEST(ieee802_3_3_2_3, a_reply_goes_back_to_the_station_that_sent_the_syn) {
    const reply r = reply_to(v4());
    EXPECT_EQ(r.to, (bytes{peer_link.begin(), peer_link.end()}));
    EXPECT_EQ(r.from, (bytes{host_link.begin(), host_link.end()}));
}

TEST(ieee802_3_3_2_3, frames_for_other_stations_pass) {
    for (std::size_t octet = 0; octet < 6; ++octet) {
        draft d = v4();
        d.to.at(octet) ^= 0x40;
        EXPECT_EQ(met(d), passed(reason::other_station)) << octet;
    }
    EXPECT_EQ(met(v4({.to = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})), passed(reason::other_station));
}

TEST(ieee802_3_3_2_3, a_frame_that_ends_inside_its_destination_is_for_nobody) {
    const bytes whole = frame_of(v4());
    for (std::size_t length = 0; length <= 6; ++length) {
        bytes cut = part(whole, 0, length);
        EXPECT_EQ(attempts::to_link(span_of(cut), some_answer()), length == 6) << length;
    }
}

TEST(ieee802_1q_9_5, untagged_frames_carry_identifier_0) {
    const read_frame r = read(frame_of(v4()));
    ASSERT_EQ(r.how, shape::tcp);
    EXPECT_EQ(r.s.vlan.outer, 0);
    EXPECT_EQ(r.s.vlan.inner, 0);
    EXPECT_EQ(r.s.network_at, 14);
}

TEST(ieee802_1q_9_5, two_tags_are_walked_in_any_mixture_of_types) {
    for (const u16 outer : {u16{0x88a8}, u16{0x8100}})
        for (const u16 inner : {u16{0x88a8}, u16{0x8100}}) {
            const read_frame r = read(frame_of(with_tags({{0x0064, outer}, {0x0005, inner}})));
            ASSERT_EQ(r.how, shape::tcp);
            EXPECT_EQ(r.s.vlan.outer, 100);
            EXPECT_EQ(r.s.vlan.inner, 5);
            EXPECT_EQ(r.s.network_at, 22);
        }
}

TEST(ieee802_1q_9_5, three_tags_are_too_many_and_pass) {
    EXPECT_EQ(shape_of(with_tags({{1}, {2}, {3}})), shape::deep_tags);
    EXPECT_EQ(met(with_tags({{1}, {2}, {3}})), passed(reason::too_many_tags));
}

TEST(ieee802_1q_9_5, a_tag_that_the_driver_stripped_counts_as_the_outer_one) {
    const read_frame one = read(frame_of(v4()), {7, 0});
    EXPECT_EQ(one.how, shape::tcp);
    EXPECT_EQ(one.s.vlan.outer, 7);
    const read_frame two = read(frame_of(with_tags({{5}})), {7, 0});
    EXPECT_EQ(two.how, shape::tcp);
    EXPECT_EQ(two.s.vlan.outer, 7);
    EXPECT_EQ(two.s.vlan.inner, 5);
    EXPECT_EQ(read(frame_of(with_tags({{5}, {6}})), {7, 0}).how, shape::deep_tags);
}

TEST(ieee802_1q_9_6, the_identifier_is_the_low_twelve_bits) {
    const read_frame r = read(frame_of(with_tags({{0xf005}})));
    ASSERT_EQ(r.how, shape::tcp);
    EXPECT_EQ(r.s.vlan.outer, 5);
    EXPECT_EQ(r.s.network_at, 18);
    EXPECT_EQ(read(frame_of(with_tags({{0x0fff}}))).s.vlan.outer, 0xfff);
}

TEST(ieee802_1q_9_6, an_answer_holds_for_its_own_vlan_only) {
    EXPECT_EQ(met(with_tags({{5}})), passed(reason::no_answer_on_file));
    EXPECT_EQ(met(with_tags({{5, 0x88a8}, {6}})), passed(reason::no_answer_on_file));
}

TEST(ieee802_1q_9_6, identifier_0_is_a_priority_and_no_vlan) {
    EXPECT_EQ(met(with_tags({{0xe000}})), answered);
}

TEST(ieee802_1q_9_6, a_reply_goes_back_on_the_vlan_it_came_from_priority_and_all) {
    const world w;
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

} // namespace
} // namespace vestibule::test
