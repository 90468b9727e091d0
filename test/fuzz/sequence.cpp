// Frames in any order and at any time: a few peers, adaptors and a host as test/sim has them, and its ledger, whose
// invariants must hold. Input: a program of steps, one byte that says what is done and a few that say how.
#include "test/fuzz/input.hpp"
#include "test/sim/site.hpp"
#include "test/support/draft.hpp"
#include "test/support/oracle.hpp"

using namespace vestibule;
using namespace vestibule::test;

namespace {

constexpr u32 most_peers = 32;
constexpr u32 most_steps = 256;

struct visitor {
    draft syn;
    peer_offer offered;
    bytes heard; // the first SYN-ACK
    bool took = false;
};

bytes options_of(const peer_offer& o) {
    return join({o.mss != 0 ? opt::mss(o.mss) : bytes{}, o.sack ? opt::sack_permitted() : bytes{},
                 o.stamps ? opt::timestamps(7) : bytes{}, o.scale ? join({opt::nop(), opt::scale(o.shift)}) : bytes{}});
}

class play {
public:
    explicit play(input& in)
        : in_(in), place_({.name = "", .adaptors = 1U + (in.take<u8>() & 1U), .accept_every_ms = in.take<u8>() & 1U}, 1,
                          book_, [this](packet p) { hear(p); }) {}

    void run() {
        for (u32 step = 0; step < most_steps && in_.left() != 0; ++step)
            do_one_thing();
        place_.end_batch(now_ms_);
        require(book_.sum.refused_in_time == 0, "nobody is refused in time");
        require(book_.sum.unasked == 0, "nobody is admitted unasked");
        require(book_.sum.disagreeing == 0, "records agree");
        require(book_.sum.forged == 0, "no guess is taken but for a cookie that a second implementation confirms");
        require(book_.sum.bad_frames == 0, "what is offered is agreed to");
    }

private:
    void do_one_thing() {
        const u8 what = in_.take<u8>();
        switch (what % 12) {
        case 0:
            return knock();
        case 1:
            return send_syn(some_peer());
        case 2:
            return take_answer(some_peer());
        case 3:
            return acknowledge(some_peer(), false);
        case 4:
            return acknowledge(some_peer(), true);
        case 5:
            return send_on(some_peer());
        case 6:
            return repeat();
        case 7:
            return disturb();
        case 8:
            now_ms_ += in_.take<u16>();
            return;
        case 9:
            return place_.end_batch(now_ms_);
        case 10:
            return change_machine();
        default:
            return send({.frame = in_.take_bytes(in_.take<u8>()), .from = sender::guesser});
        }
    }

    u32 some_peer() { return in_.take<u8>(); }
    visitor* peer_at(u32 number) { return visitors_.empty() ? nullptr : &visitors_[number % visitors_.size()]; }
    u32 number_of(const visitor* v) const { return static_cast<u32>(v - visitors_.data()); }

    void knock() {
        if (visitors_.size() == most_peers)
            return;
        const auto number = static_cast<u32>(visitors_.size());
        const u8 kinds = in_.take<u8>();
        visitor v{.syn = (kinds & 1) != 0 ? v6() : v4(), .offered = {}, .heard = {}};
        constexpr u16 sizes[]{1460, 0, 1399, 9000};
        v.offered = {(kinds & 2) != 0, (kinds & 4) != 0, (kinds & 8) != 0, (kinds & 16) != 0, 9, sizes[kinds >> 6]};
        v.syn.from_port = static_cast<u16>(40000 + number);
        v.syn.to_port = (kinds & 32) != 0 ? deferring_port : plain_port;
        v.syn.sequence = 1000 * number + in_.take<u8>();
        v.syn.options = options_of(v.offered);
        v.syn.flags = static_cast<u8>(wire::syn | (v.offered.ecn ? wire::ece | wire::cwr : 0));
        const segment s = read(frame_of(v.syn)).s;
        book_.open(number, tuple_of(s), v.syn.sequence, v.offered);
        visitors_.push_back(v);
        send_syn(number);
    }

    void send_syn(u32 number) {
        if (const visitor* v = peer_at(number); v != nullptr)
            send({.frame = frame_of(v->syn), .peer = number_of(v)});
    }

    void hear(const packet& p) {
        if (p.peer == nobody || (read(p.frame).s.flags & wire::syn) == 0)
            return;
        visitor& v = visitors_[p.peer];
        if (v.heard.empty())
            v.heard = p.frame;
    }

    void take_answer(u32 number) {
        visitor* v = peer_at(number);
        if (v == nullptr || v->heard.empty() || v->took)
            return;
        v->took = true;
        book_.taken(number_of(v), take_apart(v->heard).sequence);
    }

    // A segment that the peer could send: `further` bytes behind the first.
    packet segment_of(const visitor& v, u32 further, bool data) {
        const reply r = take_apart(v.heard);
        const offer said = oracle::read_options(r.options);
        draft d = v.syn;
        d.flags = wire::ack;
        d.sequence += 1 + further;
        d.acknowledgment = r.sequence + 1;
        d.options = offers(said, offers_timestamps) ? opt::stamped(8, said.timestamp) : bytes{};
        d.payload = bytes(data ? 100 : 0, 'x');
        return {.frame = frame_of(d),
                .peer = number_of(&v),
                .completing = further == 0,
                .data = data,
                .cookie = r.sequence,
                .echo = said.timestamp};
    }

    void acknowledge(u32 number, bool data) {
        if (const visitor* v = peer_at(number); v != nullptr && v->took)
            send(segment_of(*v, 0, data));
    }

    // Not the first: further data, or the end of it.
    void send_on(u32 number) {
        const visitor* v = peer_at(number);
        if (v == nullptr || !v->took)
            return;
        packet p = segment_of(*v, 100, (in_.take<u8>() & 1) != 0);
        send(std::move(p));
    }

    void repeat() {
        const u8 which = in_.take<u8>();
        if (sent_.empty())
            return;
        packet p = sent_[which % sent_.size()];
        send(std::move(p));
    }

    void disturb() {
        const u8 which = in_.take<u8>();
        const auto at = in_.take<u8>();
        const auto by = in_.take<u8>();
        if (sent_.empty())
            return;
        packet p = sent_[which % sent_.size()];
        p.peer = nobody;
        p.from = sender::guesser;
        if (!p.frame.empty())
            p.frame[at % p.frame.size()] ^= by;
        send(std::move(p));
    }

    void change_machine() {
        adaptor& a = place_.at(in_.take<u8>() % place_.adaptors());
        const u8 what = in_.take<u8>();
        a.look_at_clocks(now_ms_);
        if (what % 4 == 0)
            a.promise(what / 4 % 15, what / 64 % 15);
        else if (what % 4 == 1)
            a.take_new_secret();
        else if (what % 4 == 2)
            a.take_up(static_cast<duty>(what / 4 % 3));
        else
            befall(a, what / 4);
    }

    void befall(adaptor& a, u32 what) {
        if (what % 4 == 0)
            place_.stack.accept_one();
        else if (what % 4 == 1)
            a.lose_daemon();
        else if (what % 4 == 2)
            a.regain_daemon();
        else
            a.step_wall_clock(1000 * (static_cast<i64>(what) - 32));
    }

    void send(packet p) {
        if (sent_.size() < most_steps)
            sent_.push_back(p);
        place_.arrive(place_.at(in_.take<u8>() % place_.adaptors()), p, now_ms_);
    }

    input& in_;
    ledger book_;
    site place_;
    std::vector<visitor> visitors_;
    std::vector<packet> sent_;
    u64 now_ms_ = 0;
};

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for it by this name
extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
    input in(data, size);
    play(in).run();
    return 0;
}
