// The link, once more: to which station a SYN-ACK goes. The host's stack sends where its routes lead, whoever handed it the
// SYN; RFC 9293 3.10.7.2 leaves that to the routing. An answer of ours leaves by the link of its SYN, or not at all.
#include "test/engine/judgement.hpp"

namespace vestibule::test {
namespace {

constexpr link_address balancer{0x02, 0x00, 0x00, 0x00, 0xba, 0x1a};
constexpr link_address gateway{0x00, 0x00, 0x5e, 0x00, 0x01, 0x0a}; // of VRRP

draft from(const link_address& station, bool v6 = false) {
    draft d = v6 ? test::v6() : v4();
    d.from = station;
    return d;
}

way way_by(way_kind kind, const link_address& station = {}) {
    way w{{}, kind, 0};
    __builtin_memcpy(w.station, station.data(), station.size());
    return w;
}

// A host that knows this way to the peer of `d`.
imagined_host knowing(const draft& d, const way& w, const world& around = {}) {
    imagined_host h = around.host_side();
    h.ways.emplace_back(d.source, w);
    return h;
}

attempted met_with(const draft& d, const imagined_host& h, const world& w = {}) {
    return attempt(frame_of(d), h, w.moment());
}

bytes beyond_link(const bytes& frame) {
    constexpr std::size_t link_addresses = 12;
    return part(frame, link_addresses, frame.size() - link_addresses);
}

TEST(way_back, of_strangers_is_taken_without_asking) {
    const draft d = from(peer_link);
    const imagined_host h = knowing(d, way_by(way_kind::elsewhere));
    EXPECT_EQ(met_with(d, h).result, answered);
    EXPECT_EQ(h.way_calls, 0);
}

TEST(way_back, is_asked_for_once_for_any_other_station) {
    for (std::size_t octet = 0; octet < 6; ++octet) {
        draft d = from(peer_link);
        d.from.at(octet) ^= 0x40;
        const imagined_host h = knowing(d, way_by(way_kind::on_link));
        EXPECT_EQ(met_with(d, h).result, answered) << octet;
        EXPECT_EQ(h.way_calls, 1) << octet;
    }
}

TEST(way_back, is_asked_for_where_strangers_have_none_in_common) {
    world w;
    w.answers([] {
        answer a = some_answer();
        __builtin_memset(a.way_back, 0, sizeof(a.way_back));
        return a;
    }());
    for (const link_address& station : {peer_link, link_address{}}) {
        const draft d = from(station);
        const imagined_host h = knowing(d, way_by(way_kind::elsewhere), w);
        EXPECT_EQ(met_with(d, h, w).result, passed(reason::other_way_back));
        EXPECT_EQ(h.way_calls, 1);
    }
}

TEST(way_back, on_the_link_is_to_the_sender) {
    for (const bool v6 : {false, true}) {
        const draft d = from(balancer, v6);
        const reply r = take_apart(met_with(d, knowing(d, way_by(way_kind::on_link))).reply);
        EXPECT_EQ(r.to, (bytes{balancer.begin(), balancer.end()}));
        EXPECT_EQ(r.from, (bytes{host_link.begin(), host_link.end()}));
    }
}

TEST(way_back, by_a_station_is_to_that_one) {
    for (const bool v6 : {false, true}) {
        const draft d = from(balancer, v6);
        const attempted a = met_with(d, knowing(d, way_by(way_kind::by_station, gateway)));
        EXPECT_EQ(a.result, answered);
        const reply r = take_apart(a.reply);
        EXPECT_EQ(r.to, (bytes{gateway.begin(), gateway.end()}));
        EXPECT_EQ(r.from, (bytes{host_link.begin(), host_link.end()}));
        EXPECT_EQ(beyond_link(a.reply), beyond_link(met_with(from(peer_link, v6), world{}.host_side()).reply));
    }
}

TEST(way_back, elsewhere_or_unknown_is_the_stacks_to_take) {
    for (const way_kind kind : {way_kind::elsewhere, way_kind::unknown}) {
        const draft d = from(balancer);
        const attempted a = met_with(d, knowing(d, way_by(kind, gateway)));
        EXPECT_EQ(a.result, passed(reason::other_way_back));
        EXPECT_EQ(a.reply, frame_of(d));
    }
}

TEST(way_back, matters_only_to_what_would_be_answered) {
    world w;
    w.socket = listening(&listener::queue_full);
    const draft d = from(balancer);
    const imagined_host h = knowing(d, way_by(way_kind::elsewhere), w);
    EXPECT_EQ(met_with(d, h, w).result, dropped(reason::accept_queue_full));
    EXPECT_EQ(h.way_calls, 0);
}

} // namespace
} // namespace vestibule::test
