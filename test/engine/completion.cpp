// What becomes of the completing ACK: RFC 9293 section 3.10.7.3 seen from the side that kept nothing, RFC 7323, RFC 4987.
#include <gtest/gtest.h>

#include "test/engine/world.hpp"

namespace vestibule::test {
namespace {

constexpr outcome admitted{action::admit, reason::admitted};
constexpr outcome invalid{action::pass, reason::cookie_invalid};
constexpr outcome lost{action::drop, reason::first_segments_lost};

outcome passed(reason why) {
    return {action::pass, why};
}

// A handshake up to its completing ACK.
struct handshake {
    draft syn;
    synack answer;

    handshake(const draft& d, const world& w) : syn(d), answer(w.attempt(d).answer) {}
    [[nodiscard]] draft ack() const { return completing(syn, answer); }
};

const draft linux_v4 = v4({.options = opt::linux_syn()});
const draft linux_v6 = v6({.options = opt::linux_syn()});
const draft windows_v4 = v4({.options = opt::windows_syn()});

outcome after(const draft& syn, const world& w = {}) {
    return w.complete(handshake(syn, w).ack()).result;
}

established record_of(const draft& syn, const world& w = {}) {
    const completed c = w.complete(handshake(syn, w).ack());
    EXPECT_EQ(c.result, admitted);
    return c.record;
}

// --- What can complete a handshake ------------------------------------------------------------------------------------

TEST(completion_rfc9293_3_10_7_3, an_ack_of_our_cookie_is_admitted) {
    for (const draft& d : {linux_v4, linux_v6, windows_v4, v4(), v6()})
        EXPECT_EQ(after(d), admitted);
}

TEST(completion_rfc9293_3_10_7_3, data_psh_urg_and_fin_may_come_with_it) {
    const world w;
    draft ack = handshake(linux_v4, w).ack();
    for (const u8 flags : {wire::psh, wire::urg, wire::fin, wire::ece}) {
        ack.flags = static_cast<u8>(wire::ack | flags);
        ack.payload = bytes(100, 'x');
        EXPECT_EQ(w.complete(ack).result, admitted) << int{flags};
    }
}

TEST(completion_rfc9293_3_10_7_3, without_ack_or_with_syn_or_rst_nothing_completes) {
    const world w;
    draft ack = handshake(linux_v4, w).ack();
    for (const int flags : {0, +wire::psh, +wire::fin, wire::ack | wire::syn, wire::ack | wire::rst}) {
        ack.flags = static_cast<u8>(flags);
        EXPECT_EQ(w.complete(ack).result, passed(reason::not_a_completion)) << flags;
        established e{};
        const read_frame r = read(frame_of(ack));
        const imagined_host h = w.host_side();
        EXPECT_EQ(judge_completion(r.s, r.o, w.socket, w.moment(), h, e), passed(reason::not_a_completion));
    }
}

TEST(completion_rfc791, a_fragment_completes_nothing) {
    const world w;
    draft ack = handshake(linux_v4, w).ack();
    ack.fragment = 0x2000;
    EXPECT_EQ(w.complete(ack).result, passed(reason::not_a_completion));
}

TEST(completion, endpoints_without_a_served_answer_are_the_stacks) {
    world w;
    const draft ack = handshake(linux_v4, w).ack();
    w.v4_answer.state = service::left;
    EXPECT_EQ(w.complete(ack).result, passed(reason::not_served));
    w.on_file = false;
    EXPECT_EQ(w.complete(ack).result, passed(reason::not_served));
}

TEST(completion, known_connections_and_closed_ports_are_not_judged) {
    world w;
    const draft ack = handshake(linux_v4, w).ack();
    imagined_host h = w.host_side();
    h.connections.push_back({ip("198.51.100.7"), network(u16{40000}), ip("192.0.2.1"), network(u16{80})});
    EXPECT_EQ(complete(frame_of(ack), h, w.moment()).result, passed(reason::known_connection));
    w.socket.state = socket_state::absent;
    EXPECT_EQ(w.complete(ack).result, passed(reason::no_socket));
}

TEST(completion, our_own_stray_acks_pass) {
    draft ack = handshake(linux_v4, {}).ack();
    ack.sequence = world::rehearsal_token;
    EXPECT_EQ(world{}.complete(ack).result, passed(reason::rehearsal));
}

TEST(completion, outstanding_handshakes_are_finished_while_stopping) {
    world w;
    const draft ack = handshake(linux_v4, w).ack();
    w.answering = false;
    EXPECT_EQ(w.complete(ack).result, admitted);
}

TEST(completion, works_behind_ip_options_and_extension_headers_too) {
    const world w;
    draft four_way = handshake(linux_v4, w).ack();
    four_way.ip_options = bytes(12, 1);
    EXPECT_EQ(w.complete(four_way).result, admitted);
    draft six_way = handshake(linux_v6, w).ack();
    six_way.extensions = {ext::hop_by_hop(), ext::destination()};
    EXPECT_EQ(w.complete(six_way).result, admitted);
}

// --- Cookies that do not hold -----------------------------------------------------------------------------------------

TEST(completion_rfc9293_3_10_7_2, a_stray_ack_is_left_for_the_stack_to_reset) {
    EXPECT_EQ(world{}.complete(v4({.acknowledgment = 12345, .flags = wire::ack})).result, invalid);
    EXPECT_EQ(world{}.complete(v6({.acknowledgment = 12345, .flags = wire::ack})).result, invalid);
}

TEST(completion_rfc9293_3_10_7_3, sequence_and_acknowledgment_must_be_exactly_right) {
    const world w;
    const draft good = handshake(windows_v4, w).ack();
    for (const u32 off : {1U, 0xffffffffU, 1U << 16, 1U << 31}) {
        draft ack = good;
        ack.sequence += off;
        EXPECT_EQ(w.complete(ack).result, invalid);
        ack = good;
        ack.acknowledgment += off;
        EXPECT_EQ(w.complete(ack).result, invalid);
    }
}

TEST(completion_rfc4987_3_6, keys_may_rotate_once_during_a_handshake_and_not_twice) {
    world w;
    const draft ack = handshake(windows_v4, w).ack();
    w.keys.current ^= 1;
    w.keys.cookie[w.keys.current] = {5, 6};
    EXPECT_EQ(w.complete(ack).result, admitted);
    w.keys.current ^= 1;
    w.keys.cookie[w.keys.current] = {7, 8};
    EXPECT_EQ(w.complete(ack).result, invalid);
}

// --- Age --------------------------------------------------------------------------------------------------------------

outcome at_age(const draft& syn, u64 age_ms) {
    world w;
    const draft ack = handshake(syn, w).ack();
    w.now_ms += age_ms;
    return w.complete(ack).result;
}

TEST(completion_age, from_0_to_60_seconds_is_admitted) {
    for (const u64 age : {0, 1, 300, 59'999, 60'000})
        EXPECT_EQ(at_age(linux_v4, age), admitted) << age;
}

TEST(completion_age, over_60_seconds_is_too_old) {
    for (const u64 age : {60'001ULL, 61'000ULL, 3'600'000ULL, (1ULL << 32) - 1})
        EXPECT_EQ(at_age(linux_v4, age), invalid) << age;
}

TEST(completion_age, a_timestamp_from_the_future_was_never_ours) {
    const world w;
    draft ack = handshake(linux_v4, w).ack();
    ack.options = opt::stamped(1, handshake(linux_v4, w).answer.timestamp + 1);
    EXPECT_EQ(w.complete(ack).result, invalid);
}

TEST(completion_age, holds_across_the_wrap_of_the_clock) {
    world w;
    const u32 offset = timestamp_clock(w.keys.clock, read(frame_of(linux_v4)).s, 0);
    w.now_ms = (1ULL << 32) - offset - 1; // the clock for this pair stands at its last tick
    const handshake h(linux_v4, w);
    ASSERT_EQ(h.answer.timestamp, 0xffffffffU);
    w.now_ms += 500;
    EXPECT_EQ(w.complete(h.ack()).result, admitted);
}

TEST(completion_age, without_timestamps_only_the_keys_bound_it) {
    EXPECT_EQ(at_age(windows_v4, 60'001), admitted);
}

// --- First segments lost ----------------------------------------------------------------------------------------------

TEST(completion_rfc7323, a_bad_cookie_with_a_young_echo_is_a_handshake_whose_first_segments_were_lost) {
    const world w;
    draft ack = handshake(linux_v4, w).ack();
    ack.sequence += 1448;
    ack.payload = bytes(1000, 'x');
    EXPECT_EQ(w.complete(ack).result, lost);
    world later = w;
    later.now_ms += 60'000;
    EXPECT_EQ(later.complete(ack).result, lost);
    later.now_ms += 1;
    EXPECT_EQ(later.complete(ack).result, invalid);
}

TEST(completion_rfc7323, without_timestamps_nothing_tells_lost_segments_from_stray_ones) {
    const world w;
    draft ack = handshake(windows_v4, w).ack();
    ack.sequence += 1460;
    EXPECT_EQ(w.complete(ack).result, invalid);
}

// --- The listener's own wishes ----------------------------------------------------------------------------------------

TEST(completion_defer_accept, an_ack_without_data_waits_for_the_data) {
    world w;
    w.socket.waits_for_data = true;
    draft ack = handshake(linux_v4, w).ack();
    EXPECT_EQ(w.complete(ack).result, (outcome{action::drop, reason::accept_deferred}));
    ack.payload = {'G'};
    EXPECT_EQ(w.complete(ack).result, admitted);
    ack.acknowledgment += 1; // a bad cookie stays bad
    ack.options = {};
    EXPECT_EQ(w.complete(ack).result, invalid);
}

TEST(completion_accept_queue, a_full_one_drops_the_ack_as_the_kernel_does) {
    world w;
    const draft ack = handshake(linux_v4, w).ack();
    w.socket.queue_full = true;
    EXPECT_EQ(w.complete(ack).result, (outcome{action::drop, reason::accept_queue_full}));
}

TEST(completion_tcp_maxseg, bounds_the_peers_mss_and_not_below_the_least) {
    world w;
    w.socket.most_mss = 1000;
    EXPECT_EQ(record_of(linux_v4, w).mss, 1000);
    w.socket.most_mss = 100;
    EXPECT_EQ(record_of(linux_v4, w).mss, 536);
    EXPECT_EQ(record_of(linux_v6, w).mss, 1220);
    w.socket.most_mss = 9000;
    EXPECT_EQ(record_of(linux_v4, w).mss, 1460);
}

// --- The promise and what became of it --------------------------------------------------------------------------------

world promising(u8 shift) {
    world w;
    w.v4_answer.with_timestamps.shift = w.v4_answer.without_timestamps.shift = shift;
    w.v4_answer.former_shift = shift;
    return w;
}

// The same world after a rehearsal that found `shift`, with `ms` of grace for what was promised before.
world changed(world w, u8 shift, u64 ms) {
    w.v4_answer.former_shift = w.v4_answer.with_timestamps.shift;
    w.v4_answer.with_timestamps.shift = w.v4_answer.without_timestamps.shift = shift;
    w.v4_answer.former_until_ms = w.now_ms + ms;
    return w;
}

TEST(completion_rfc7323_2_2, the_window_scale_promised_is_the_one_handed_over) {
    for (u8 shift = 0; shift <= 14; ++shift)
        EXPECT_EQ(record_of(linux_v4, promising(shift)).local_shift, shift);
}

TEST(completion_rfc7323_2_2, a_former_promise_is_kept_until_its_time_is_over) {
    const world before = promising(7);
    const draft ack = handshake(linux_v4, before).ack();
    const completed in_time = changed(before, 3, 1).complete(ack);
    EXPECT_EQ(in_time.result, admitted);
    EXPECT_EQ(in_time.record.local_shift, 7);
    EXPECT_EQ(changed(before, 3, 0).complete(ack).result, lost);
    const draft unstamped = handshake(windows_v4, before).ack();
    EXPECT_EQ(changed(before, 3, 1).complete(unstamped).record.local_shift, 7);
    EXPECT_EQ(changed(before, 3, 0).complete(unstamped).result, invalid);
}

TEST(completion_rfc7323_2_2, a_new_promise_holds_at_once) {
    const world now = changed(promising(7), 3, 1000);
    EXPECT_EQ(record_of(linux_v4, now).local_shift, 3);
}

TEST(completion_rfc7323_2_2, without_window_scaling_a_changed_shift_breaks_nothing) {
    const draft plain = v4({.options = opt::mss(1460)});
    const world before = promising(7);
    const completed c = changed(before, 3, 0).complete(handshake(plain, before).ack());
    EXPECT_EQ(c.result, admitted);
    EXPECT_EQ(c.record.local_shift, 0);
    EXPECT_EQ(c.record.peer_shift, 0);
    EXPECT_EQ(c.record.window_scale, 0);
}

// --- The record -------------------------------------------------------------------------------------------------------

TEST(completion_record, rfc9293_3_3_1_names_both_ends_and_both_initial_sequence_numbers) {
    const world w;
    const handshake h(linux_v6, w);
    const established e = w.complete(h.ack()).record;
    EXPECT_TRUE(same(e.peer, linux_v6.source));
    EXPECT_TRUE(same(e.local, linux_v6.destination));
    EXPECT_EQ(host(e.peer_port), 40000);
    EXPECT_EQ(host(e.local_port), 80);
    EXPECT_EQ(e.peer_isn, linux_v6.sequence);
    EXPECT_EQ(e.local_isn, h.answer.isn);
}

TEST(completion_record, sequence_numbers_wrap) {
    draft d = windows_v4;
    d.sequence = 0xffffffff;
    EXPECT_EQ(record_of(d).peer_isn, 0xffffffffU);
}

TEST(completion_record, holds_the_options_of_every_offer) {
    for (u32 offered = 0; offered < 16; ++offered) {
        const bool scale = (offered & 1) != 0;
        const bool sack = (offered & 2) != 0;
        const bool stamps = (offered & 4) != 0;
        const bool ecn = (offered & 8) != 0;
        const draft d =
            v4({.flags = static_cast<u8>(wire::syn | (ecn ? wire::ece | wire::cwr : 0)),
                .options = join({opt::mss(1400), scale ? opt::scale(11) : bytes{},
                                 sack ? opt::sack_permitted() : bytes{}, stamps ? opt::timestamps(1) : bytes{}})});
        const established e = record_of(d);
        EXPECT_EQ(e.window_scale, scale) << offered;
        EXPECT_EQ(e.peer_shift, scale ? 11 : 0) << offered;
        EXPECT_EQ(e.local_shift, scale ? 7 : 0) << offered;
        EXPECT_EQ(e.sack, sack) << offered;
        EXPECT_EQ(e.timestamps, stamps) << offered;
        EXPECT_EQ(e.ecn, ecn) << offered;
        EXPECT_EQ(e.mss, 1400) << offered;
    }
}

TEST(completion_record, rfc7323_2_3_a_shift_over_14_is_handed_over_as_14) {
    EXPECT_EQ(record_of(v4({.options = opt::scale(15)})).peer_shift, 14);
}

TEST(completion_record, rfc9293_3_7_1_mss_is_rounded_down) {
    EXPECT_EQ(record_of(v4({.options = opt::mss(1459)})).mss, 1452);
    EXPECT_EQ(record_of(v4()).mss, 536);
    EXPECT_EQ(record_of(v6()).mss, 1220);
    EXPECT_EQ(record_of(v4({.options = opt::mss(9000)})).mss, 8960);
}

TEST(completion_record, options_that_the_host_refused_are_not_in_force) {
    world w;
    w.v4_answer.with_timestamps.allows = w.v4_answer.without_timestamps.allows = 0;
    const established e = record_of(v4({.flags = wire::syn | wire::ece | wire::cwr, .options = opt::linux_syn()}), w);
    EXPECT_EQ(e.window_scale + e.sack + e.timestamps + e.ecn, 0);
}

// The stack's first round-trip sample is its clock minus the echo: timestamp_now is that clock, not the echo.
TEST(completion_record, rfc7323_4_1_the_clock_is_the_one_of_the_moment_so_that_the_round_trip_time_is_true) {
    world w;
    const handshake h(linux_v4, w);
    w.now_ms += 301;
    const established e = w.complete(h.ack()).record;
    EXPECT_EQ(e.timestamp_now - h.answer.timestamp, 301U);
    EXPECT_EQ(e.peer_timestamp, 0x11223399U);
}

TEST(completion_record, nothing_is_written_unless_admitted) {
    const completed c = world{}.complete(v4({.acknowledgment = 1, .flags = wire::ack}));
    const established empty{};
    EXPECT_EQ(__builtin_memcmp(&c.record, &empty, sizeof(empty)), 0);
}

} // namespace
} // namespace vestibule::test
