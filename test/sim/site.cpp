#include "test/sim/site.hpp"

#include "test/support/oracle.hpp"
#include "test/support/reply.hpp"

namespace vestibule::test {

namespace {

// The host as the engine asks for it: sockets are the machine's, answers and memory the adaptor's.
struct port {
    const adaptor& here;
    const host_stack& sockets;

    [[nodiscard]] const answer* answer_for(const endpoint& where) const { return here.answer_for(where); }
    [[nodiscard]] listener listener_for(const segment& s) const { return sockets.listener_for(s); }
    [[nodiscard]] static way way_for(const segment&) { return {{}, way_kind::on_link, 0}; }
    [[nodiscard]] bool just_admitted(const segment& s) const { return here.just_admitted(s); }
};

} // namespace

site::site(const scenario& s, u64 seed, ledger& book, way_out to_peers)
    : stack(seed, s.accept_every_ms != 0), book_(book), to_peers_(std::move(to_peers)) {
    for (u32 number = 0; number < s.adaptors; ++number)
        adaptors_.push_back(std::make_unique<adaptor>(number, s, seed));
}

void site::arrive(adaptor& a, const packet& p, u64 now_ms) {
    a.look_at_clocks(now_ms);
    if (a.absent() || !answer(a, p))
        hand_over(a, p);
}

// The XDP program. False: the frame goes on.
bool site::answer(adaptor& a, const packet& p) {
    const attempted done = attempt(p.frame, port{a, stack}, a.moment());
    count(done.result);
    if (done.result.act == action::reply) {
        note_birth(a, p, done.reply);
        to_peers_({.frame = done.reply, .peer = p.peer});
    }
    return done.result.act != action::pass;
}

// As the reply itself says.
void site::note_birth(const adaptor& a, const packet& p, const bytes& frame) {
    if (p.peer == nobody)
        return;
    const reply r = take_apart(frame);
    const offer said = oracle::read_options(r.options);
    birth b = a.birth_of(r.sequence);
    b.timestamp = said.timestamp;
    b.shift = static_cast<u8>(said.shift);
    b.scaled = offers(said, offers_window_scale);
    b.sack = offers(said, offers_sack);
    b.stamped = offers(said, offers_timestamps);
    b.ecn = (r.flags & wire::ece) != 0;
    book_.born(p.peer, b);
}

// The TC program.
void site::hand_over(adaptor& a, packet p) {
    const read_frame r = read(p.frame);
    completed done{};
    if (!a.absent()) {
        done = complete(p.frame, port{a, stack}, a.moment());
        count(done.result);
    }
    p.reset = book_.judge(p, r.s, done, a.stand());
    if (done.result.act == action::drop)
        return;
    const bool admitted = done.result.act == action::admit;
    if (admitted)
        a.remember(r.s);
    a.backlog.emplace_back(std::move(p), admitted ? std::optional(done.record) : std::nullopt);
}

void site::end_batch(u64 now_ms) {
    for (const auto& a : adaptors_) {
        const auto batch = std::exchange(a->backlog, {});
        for (const auto& [p, record] : batch)
            stack.receive(p, record, now_ms, [this, &p](bytes frame, bool reset) {
                to_peers_({.frame = std::move(frame), .peer = p.peer, .reset = reset ? p.reset : cause::none});
            });
    }
}

} // namespace vestibule::test
