// The engine says the same in the kernel as natively: for every frame of the corpus the same outcome, the same reason
// (exactly one is counted), the same bytes. Each is the other's oracle; what both should say is the business of
// test/engine.
#include <gtest/gtest.h>

#include <linux/bpf.h>

#include <iostream>
#include <memory>
#include <set>

#include "control/clock.hpp"
#include "test/agree/corpus.hpp"
#include "test/agree/machine.hpp"
#include "test/agree/stage.hpp"
#include "test/support/print.hpp"
#include "test/support/reply.hpp"

namespace vestibule::test {
namespace {

circumstances moment(const key_ring& ring, u64 now_ms, bool answering = true) {
    return {ring, now_ms, loopback_index, token, answering};
}

std::string names(const std::vector<reason>& counted) {
    std::string all;
    for (const reason why : counted)
        all += std::string(all.empty() ? "" : " ") + name_of(why);
    return all;
}

int xdp_action(action a) {
    return a == action::reply ? XDP_TX : a == action::drop ? XDP_DROP : XDP_PASS;
}

int tc_action(action a) {
    constexpr int next = -1;
    constexpr int shot = 2;
    return a == action::drop ? shot : next;
}

// Frames that BPF_PROG_TEST_RUN does not take, so that there is nothing to compare: for XDP those without a whole Ethernet
// header.
constexpr std::size_t an_ethernet_header = 14;

bool xdp_may_refuse(const bytes& frame) {
    return frame.size() < an_ethernet_header;
}

class agreement : public testing::TestWithParam<sample> {
protected:
    static void SetUpTestSuite() {
        enter_own_network();
        host = std::make_unique<imagined_host>(imagine());
        sockets = std::make_unique<stage>();
        kernel = std::make_unique<machine>(*host);
    }

    static void TearDownTestSuite() {
        std::cout << compared << " comparisons; " << refused
                  << " left out, of frames that the kernel runs no program on\n";
        kernel.reset();
        sockets.reset();
        host.reset();
    }

    // Whether there is something to compare.
    template <class Result>
    static bool was_run(const std::optional<Result>& result, bool may_be_refused) {
        EXPECT_TRUE(result.has_value() || may_be_refused) << "the kernel does not run its program on this frame";
        ++(result.has_value() ? compared : refused);
        return result.has_value();
    }

    static inline std::unique_ptr<imagined_host> host;
    static inline std::unique_ptr<stage> sockets;
    static inline std::unique_ptr<machine> kernel;
    static inline int compared = 0;
    static inline int refused = 0;
};

// --- The adaptor ------------------------------------------------------------------------------------------------------

// The moment that the program saw. Its reply tells, where it carries a timestamp; no other reply depends on it.
u64 moment_of(const run_result& r, const bytes& arrived) {
    constexpr std::size_t timestamp_at = 8;
    if (r.action != XDP_TX)
        return r.before_ms;
    const bytes options = take_apart(r.frame).options;
    if (options.size() < timestamp_at + 8)
        return r.before_ms;
    const u32 offset = timestamp_clock(keys().clock, read(arrived).s, 0);
    const u32 seen = four_at(options, timestamp_at) - offset;
    const u64 now_ms = r.before_ms + (seen - static_cast<u32>(r.before_ms));
    EXPECT_LE(now_ms, r.after_ms) << "the timestamp is not of the moment of the run";
    return now_ms;
}

void expect_same(const run_result& kernel, const attempted& native) {
    EXPECT_EQ(kernel.action, xdp_action(native.result.act)) << native.result;
    EXPECT_EQ(names(kernel.counted), name_of(native.result.why));
    EXPECT_EQ(hex(kernel.frame), hex(native.reply));
}

TEST_P(agreement, of_the_adaptor) {
    const bytes frame = GetParam().frame(adaptor_clock_ms());
    const auto r = kernel->adaptor(frame);
    if (!was_run(r, xdp_may_refuse(frame)))
        return;
    const key_ring ring = keys();
    expect_same(*r, attempt(frame, *host, moment(ring, moment_of(*r, frame))));
}

TEST_P(agreement, of_a_stopping_adaptor) {
    const bytes frame = GetParam().frame(adaptor_clock_ms());
    kernel->answer_no_more(true);
    const auto r = kernel->adaptor(frame);
    kernel->answer_no_more(false);
    if (!was_run(r, xdp_may_refuse(frame)))
        return;
    const key_ring ring = keys();
    expect_same(*r, attempt(frame, *host, moment(ring, r->before_ms, false)));
}

// --- The handoff ------------------------------------------------------------------------------------------------------

// One run that began and ended in one millisecond, so that its moment is known to the engine's precision.
std::optional<run_result> run_within_a_millisecond(machine& kernel, const sample& s, bytes& frame) {
    for (int tries = 0; tries < 1000; ++tries) {
        frame = s.frame(adaptor_clock_ms());
        const u64 made_ms = adaptor_clock_ms();
        auto r = kernel.handoff(frame);
        if (!r || (made_ms == r->after_ms && frame == s.frame(made_ms)))
            return r;
    }
    throw std::runtime_error("no run was done within one millisecond of the clock");
}

// Outside a real ingress the kernel takes no record: what the engine admits ends there, and the record itself is compared
// in another test.
outcome outside_ingress(const outcome& o) {
    return o.act == action::admit ? outcome{action::pass, reason::handoff_failed} : o;
}

// A TC program is not run on frames whose Ethernet header says IPv4 or IPv6 and that end inside that header, nor on those
// longer than a page.
bool tc_may_refuse(const bytes& frame) {
    constexpr std::size_t a_page_less_overhead = 3400;
    const u32 type = frame.size() < an_ethernet_header ? 0 : two_at(frame, 12);
    const std::size_t header = type == 0x0800 ? sizeof(wire::ipv4) : type == 0x86dd ? sizeof(wire::ipv6) : 0;
    return frame.size() < an_ethernet_header + header || frame.size() > a_page_less_overhead;
}

// Where nothing is admitted, only a rehearsal of the untracked form is marked.
u32 mark_on(const bytes& frame, const outcome& o) {
    constexpr u32 asks_untracked = 2;
    return o.why == reason::rehearsal && read(frame).s.acknowledgment == (token ^ asks_untracked) ? untracked_mark : 0;
}

TEST_P(agreement, of_the_handoff) {
    bytes frame;
    const auto r = run_within_a_millisecond(*kernel, GetParam(), frame);
    if (!was_run(r, tc_may_refuse(frame)))
        return;
    const key_ring ring = keys();
    const outcome native = outside_ingress(complete(frame, *host, moment(ring, r->before_ms)).result);
    EXPECT_EQ(r->action, tc_action(native.act)) << native;
    EXPECT_EQ(names(r->counted), name_of(native.why));
    EXPECT_EQ(hex(r->frame), hex(frame));
    EXPECT_EQ(r->mark, mark_on(frame, native));
}

// --- The engine by itself ---------------------------------------------------------------------------------------------

constexpr u64 some_moment_ms = 0x1'0000'0000 - 100; // just before 32 bits of milliseconds wrap

// What the host of the other tests would say of this frame.
question host_says(const imagined_host& h, const bytes& frame) {
    question q{.keys = keys(),
               .on_file = {},
               .socket = {},
               .back = {},
               .stripped = {},
               .has_answer = 0,
               .answering = 1,
               .ifindex = loopback_index,
               .rehearsal_token = token,
               .now_ms = some_moment_ms};
    const segment s = read(frame).s;
    q.socket = h.listener_for(s);
    if (const answer* a = h.answer_for(local_end(s, loopback_index)); a != nullptr) {
        q.on_file = *a;
        q.has_answer = 1;
    }
    return q;
}

// Any frame is let in as far as it goes by itself.
question all_doors_open() {
    question q = host_says({}, {});
    q.on_file = door_called("classic_ecn").given;
    q.has_answer = 1;
    q.socket = listening();
    q.back.kind = way_kind::on_link;
    return q;
}

// An adaptor that is stopping, behind a driver that strips tags, for a listener whose promise has just changed.
question another_host() {
    question q = all_doors_open();
    q.on_file = door_called("rescaled").given;
    q.on_file.with_timestamps = {1111, 1311, 2, allows_timestamps | allows_window_scale, 4, 0};
    q.on_file.flow_label = 1;
    q.on_file.dont_fragment = 0;
    q.stripped = {7, 0};
    __builtin_memset(q.on_file.way_back, 0, 6);
    q.back = {{2, 0, 0, 0, 0x41, 1}, way_kind::by_station, 0};
    q.socket.most_mss = small_mss;
    return q;
}

struct answering {
    const question& q;
    const answer* answer_for(const endpoint&) const { return q.has_answer != 0 ? &q.on_file : nullptr; }
    listener listener_for(const segment&) const { return q.socket; }
    way way_for(const segment&) const { return q.back; }
};

finding find_natively(bytes frame, const question& q) {
    finding found{};
    found.s.vlan = q.stripped;
    found.how = static_cast<u32>(parse(span_of(frame), found.s));
    if (found.how != static_cast<u32>(shape::tcp))
        return found;
    found.o = read_options(span_of(frame), found.s);
    found.local = local_end(found.s, q.ifindex);
    const circumstances c{q.keys, q.now_ms, q.ifindex, q.rehearsal_token, q.answering != 0};
    const answering port{q};
    found.attempt = judge_attempt(span_of(frame), found.s, found.o, c, port, found.reply);
    found.completion = judge_completion(found.s, found.o, q.socket, c, port, found.record);
    return found;
}

// The bytes of an aggregate without padding.
template <class Value>
std::string bytes_of(const Value& value) {
    const auto* first = reinterpret_cast<const u8*>(&value);
    return hex({first, first + sizeof(value)});
}
static_assert(sizeof(synack) == 8 + 5 * 4 + 2 * 2 + 3 + 5, "no padding");
static_assert(sizeof(offer) == 6 * 4, "no padding");

std::string fields(const segment& s) {
    std::string all = bytes_of(s.source) + bytes_of(s.destination);
    for (const u32 field : {u32{host(s.source_port)}, u32{host(s.destination_port)}, s.sequence, s.acknowledgment,
                            u32{s.window}, u32{s.options_at}, u32{s.network_at}, u32{s.payload_length},
                            u32{s.vlan.outer}, u32{s.vlan.inner}, u32{s.flags}, u32{s.options_length}, u32{s.ecn},
                            u32{s.dscp}, u32{s.accurate}, u32{s.reserved}, u32{s.v6}, u32{s.fragmented}})
        all += " " + std::to_string(field);
    return all;
}

void expect_same(const finding& kernel, const finding& native) {
    EXPECT_EQ(kernel.how, native.how);
    EXPECT_EQ(fields(kernel.s), fields(native.s));
    EXPECT_EQ(bytes_of(kernel.o), bytes_of(native.o));
    EXPECT_EQ(bytes_of(kernel.local), bytes_of(native.local));
    EXPECT_EQ(kernel.attempt, native.attempt);
    EXPECT_EQ(bytes_of(kernel.reply), bytes_of(native.reply));
    EXPECT_EQ(kernel.completion, native.completion);
    EXPECT_EQ(bytes_of(kernel.record), bytes_of(native.record));
}

std::string fields(const listener& l) {
    std::string all = std::to_string(static_cast<int>(l.state)) + " " + std::to_string(l.most_mss);
    for (const bool flag : {l.queue_full, l.multipath, l.fast_open, l.demands_keys, l.waits_for_data, l.keeps_syns})
        all += flag ? " yes" : " no";
    return all;
}

// The real sockets are what the table of doors says of them, to the last field.
TEST_P(agreement, of_sockets) {
    const bytes frame = GetParam().frame(some_moment_ms);
    const auto found = kernel->record(frame, host_says(*host, frame));
    if (!was_run(found, xdp_may_refuse(frame)) || found->how != static_cast<u32>(shape::tcp))
        return;
    EXPECT_EQ(fields(found->seen), fields(host->listener_for(read(frame).s)));
}

TEST_P(agreement, of_segment_offer_reply_and_record) {
    const bytes frame = GetParam().frame(some_moment_ms);
    for (const question& q : {host_says(*host, frame), all_doors_open(), another_host()}) {
        const auto found = kernel->record(frame, q);
        if (was_run(found, xdp_may_refuse(frame)))
            expect_same(*found, find_natively(frame, q));
    }
}

// --- The corpus -------------------------------------------------------------------------------------------------------

// What no single frame can bring about: it takes time, a driver, or a connection under way.
bool needs_more_than_a_frame(reason why) {
    return why == reason::stopping || why == reason::reply_too_long || why == reason::reply_lost ||
           why == reason::handoff_refused || why == reason::just_admitted || why == reason::handoff_failed ||
           why == reason::sent_round || why == reason::not_built;
}

TEST(corpus, meets_every_reason_that_a_frame_can_meet) {
    const imagined_host h = imagine();
    const key_ring ring = keys();
    std::set<reason> met;
    for (const sample& s : corpus()) {
        met.insert(attempt(s.frame(some_moment_ms), h, moment(ring, some_moment_ms)).result.why);
        met.insert(complete(s.frame(some_moment_ms), h, moment(ring, some_moment_ms)).result.why);
    }
    for (u32 i = 0; i < reason_count; ++i) {
        const auto why = static_cast<reason>(i);
        EXPECT_NE(met.contains(why), needs_more_than_a_frame(why)) << name_of(why);
    }
}

TEST(corpus, names_every_frame_once) {
    std::set<std::string> names;
    for (const sample& s : corpus())
        EXPECT_TRUE(names.insert(s.name).second) << s.name;
    EXPECT_GE(names.size(), 300U);
}

INSTANTIATE_TEST_SUITE_P(corpus, agreement, testing::ValuesIn(corpus()),
                         [](const auto& info) { return info.param.name; });

} // namespace
} // namespace vestibule::test
