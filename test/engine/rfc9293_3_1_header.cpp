// RFC 9293 section 3.1: the header, as it is read and as it is written. Replies are taken apart by
// test/support/reply.hpp, which shares nothing with the engine.
//
// Not the adaptor's:
//   MUST-3  the checksum of what arrives - of a frame from the same machine it is not filled in yet, and nothing tells;
//           the stack verifies the completing segment, before which it knows of no connection
#include "test/engine/judgement.hpp"

namespace vestibule::test {
namespace {

// --- Read ------------------------------------------------------------------------------------------------------------

TEST(rfc9293_3_1, every_field_is_read) {
    const segment s = read(frame_of(v4({.from_port = 0xa1b2,
                                        .to_port = 0xc3d4,
                                        .sequence = 0x10203040,
                                        .acknowledgment = 0x50607080,
                                        .flags = 0xff,
                                        .window = 0x9abc})))
                          .s;
    EXPECT_EQ(host(s.source_port), 0xa1b2);
    EXPECT_EQ(host(s.destination_port), 0xc3d4);
    EXPECT_EQ(s.sequence, 0x10203040U);
    EXPECT_EQ(s.acknowledgment, 0x50607080U);
    EXPECT_EQ(s.flags, 0xff);
    EXPECT_EQ(s.window, 0x9abc);
}

TEST(rfc9293_3_1, data_offset_must_hold_the_header_and_fit_the_packet) {
    for (u8 words = 0; words < 16; ++words) {
        const draft d = v4({.data_offset = words, .options = opt::nop(20)});
        const bool right = words >= 5 && words <= 10;
        EXPECT_EQ(shape_of(d), right ? shape::tcp : shape::malformed) << int{words};
        EXPECT_EQ(read(frame_of(d)).s.options_length, right ? 4 * words - 20 : 0) << int{words};
    }
    EXPECT_EQ(shape_of(v4({.data_offset = u8{15}, .options = bytes(36, 1)})), shape::malformed);
    EXPECT_EQ(shape_of(v4({.options = bytes(40, 1)})), shape::tcp);
    EXPECT_EQ(shape_of(v6({.data_offset = u8{6}})), shape::malformed);
}

TEST(rfc9293_3_1, reserved_bits_of_what_arrives_are_ignored) {
    for (const u8 reserved : {u8{2}, u8{4}, u8{8}, u8{14}})
        EXPECT_EQ(met(v4({.reserved = reserved})), answered) << int{reserved};
}

TEST(rfc9293_3_1, flags_and_the_ae_bit_are_read) {
    const read_frame r = read(frame_of(v4({.flags = wire::syn | wire::ece | wire::cwr, .reserved = 1})));
    EXPECT_EQ(r.s.flags, wire::syn | wire::ece | wire::cwr);
    EXPECT_TRUE(r.s.accurate);
    EXPECT_FALSE(read(frame_of(v4({.reserved = 0x0e}))).s.accurate);
}

TEST(rfc9293_3_1, text_is_what_follows_the_header) {
    const read_frame r = read(frame_of(v6({.options = opt::linux_syn(), .payload = bytes(77, 'x')})));
    EXPECT_EQ(r.s.payload_length, 77);
}

TEST(rfc9293_3_1, the_checksum_of_a_syn_is_not_looked_at) {
    EXPECT_EQ(met(v4({.tcp_checksum = u16{0x1234}})), answered);
    EXPECT_EQ(met(v6({.tcp_checksum = u16{0x1234}})), answered);
}

// --- Frames cut short ------------------------------------------------------------------------------------------------

void expect_malformed_however_cut(const draft& d, std::size_t from, std::size_t to) {
    const bytes whole = frame_of(d);
    for (std::size_t length = from; length < to; ++length)
        EXPECT_EQ(read(part(whole, 0, length)).how, shape::malformed) << length;
}

TEST(rfc9293_3_1, a_frame_cut_short_at_any_byte_is_never_read_past_its_end) {
    for (draft d : {v4({.ip_options = bytes(40, 1), .options = bytes(40, 1)}),
                    v6({.extensions = {ext::hop_by_hop(), ext::fragment(0, true), ext::routing(0)}})}) {
        d.tags = {{5, 0x88a8}, {6, 0x8100}};
        expect_malformed_however_cut(d, 0, frame_of(d).size() - drafting::padded(d.options).size());
    }
}

TEST(rfc9293_3_1, a_frame_cut_short_inside_the_options_is_malformed) {
    for (const draft& d : {v4({.options = opt::linux_syn()}), v6({.options = opt::linux_syn()})})
        expect_malformed_however_cut(d, frame_of(d).size() - 20, frame_of(d).size());
}

TEST(rfc9293_3_1, no_frame_at_all_is_the_stacks_to_judge) {
    EXPECT_EQ(world{}.attempt(bytes{}).result, passed(reason::syn_malformed));
}

// --- Written ---------------------------------------------------------------------------------------------------------

TEST(rfc9293_3_1, a_reply_turns_both_ends_round) {
    const reply r = reply_to(v4());
    EXPECT_EQ(r.from_port, 80U);
    EXPECT_EQ(r.to_port, 40000U);
    EXPECT_EQ(r.source, (bytes{192, 0, 2, 1}));
    EXPECT_EQ(r.destination, (bytes{198, 51, 100, 7}));
    const reply six = reply_to(v6());
    EXPECT_EQ(join({six.destination, six.source}), drafting::addresses(v6()));
}

TEST(rfc9293_3_1, reserved_bits_and_urgent_pointer_of_a_reply_are_zero_whatever_came) {
    world w;
    w.v4_answer.classic_ecn_for_accecn = 1;
    const reply r = reply_to(v4({.flags = wire::syn | wire::urg | wire::psh, .reserved = 15}), w);
    EXPECT_EQ(r.reserved, 0U);
    EXPECT_EQ(r.urgent, 0U);
    EXPECT_EQ(r.flags, wire::syn | wire::ack);
}

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

TEST(rfc9293_3_1, checksums_and_lengths_of_a_reply_are_right_in_every_shape) {
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

TEST(rfc9293_3_1, a_frame_without_room_for_the_reply_is_refused_and_never_overrun) {
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
