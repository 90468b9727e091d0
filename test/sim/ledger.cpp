#include "test/sim/ledger.hpp"

#include "test/sim/patience.hpp"
#include "test/support/oracle.hpp"

namespace vestibule::test {

namespace {

// The same but for the moment of the handing over.
bool agree(established a, established b) {
    a.timestamp_now = b.timestamp_now;
    a.peer_timestamp = b.peer_timestamp;
    return __builtin_memcmp(&a, &b, sizeof(a)) == 0;
}

// What the SYN-ACK said, and what the peer offered, is what the record says.
bool agrees(const established& e, const birth& b, const peer_offer& o) {
    return e.window_scale == b.scaled && e.local_shift == (b.scaled ? b.shift : 0) &&
           e.peer_shift == (b.scaled ? o.shift : 0) && e.sack == b.sack && e.timestamps == b.stamped &&
           e.ecn == b.ecn && e.mss == oracle::kept_mss(!is_v4(e.peer), o.mss);
}

// The answer on file agrees to everything, and so does the SYN-ACK.
bool leaves_nothing_out(const birth& b, const peer_offer& o) {
    return b.scaled == o.scale && b.sack == o.sack && b.stamped == o.stamps && b.ecn == o.ecn;
}

// By another hand than the engine's.
bool confirmed(const packet& p, const segment& s, const established& e, const handoff_moment& m) {
    const u32 echo = oracle::read_options(part(p.frame, s.options_at, s.options_length)).timestamp_echo;
    return e.peer_isn + 1 == s.sequence && e.local_isn + 1 == s.acknowledgment &&
           (e.window_scale == 0 || rules::on_file(e.timestamps != 0, e.local_shift, m)) &&
           oracle::confirms(e, m.keys, m.clock_ms, echo);
}

// So that the stack's first round-trip time is the true one.
bool clock_runs_on(const established& e, const birth& b, const handoff_moment& m) {
    return !b.stamped || e.timestamp_now - b.timestamp == static_cast<u32>(m.clock_ms - b.clock_ms);
}

// The plain kernel would not admit it now either, and the peer will send again.
bool to_be_repeated(const outcome& o, bool data) {
    return o.why == reason::accept_queue_full || (o.why == reason::accept_deferred && !data);
}

bool belongs_to_a_connection(const outcome& o) {
    return o.why == reason::known_connection || o.why == reason::just_admitted;
}

} // namespace

void ledger::open(u32 peer, const tuple& who, u32 isn, const peer_offer& offered) {
    if (files_.size() <= peer)
        files_.resize(peer + 1);
    files_[peer] = {.who = who, .isn = isn, .offered = offered, .former = peer_at(who)};
    by_tuple_[who] = peer;
    ++sum.handshakes;
}

void ledger::born(u32 peer, const birth& b) {
    sum.bad_frames += !leaves_nothing_out(b, files_[peer].offered);
    files_[peer].births.push_back(b);
}

void ledger::wrong(file& f) {
    if (!std::exchange(f.wronged, true))
        ++sum.refused_in_time;
}

void ledger::closed(u32 peer, fate f, cause why) {
    file& its = files_[peer];
    its.closed = true;
    ++closed_;
    if (f == fate::served)
        ++sum.served;
    else if (its.haunted && (f == fate::stuck || why == cause::gone))
        ++sum.haunted;
    else if (f == fate::unheard)
        ++sum.unheard;
    else
        count(its, f == fate::stuck ? its.turned_away : why);
}

void ledger::count(file& f, cause why) {
    switch (why) {
    case cause::none:
        ++sum.stuck;
        return;
    case cause::in_time:
        return wrong(f);
    case cause::late:
        ++sum.late;
        return;
    case cause::disturbed:
        ++sum.disturbed;
        return;
    case cause::apart:
        ++sum.apart;
        return;
    case cause::overtaken:
        ++sum.overtaken;
        return;
    case cause::gone:
        ++sum.gone;
        return;
    case cause::provoked:
        ++sum.provoked;
    }
}

const birth* ledger::birth_of(u32 peer, u32 cookie, u32 echo) const {
    const birth* found = nullptr;
    for (const birth& b : files_[peer].births) {
        if (b.cookie == cookie && b.timestamp == echo)
            return &b;
        if (b.cookie == cookie && found == nullptr)
            found = &b;
    }
    return found;
}

cause ledger::judge(const packet& p, const segment& s, const completed& done, const handoff_moment& m) {
    if (done.result.act == action::admit)
        admitted(p, s, done.record, m);
    if (p.from != sender::peer || p.peer == nobody)
        return cause::provoked;
    file& f = files_[p.peer];
    const birth* b = birth_of(p.peer, p.cookie, p.echo);
    if (p.completing && b != nullptr && !belongs_to_a_connection(done.result)) {
        const bool turned_away = done.result.act != action::admit && !to_be_repeated(done.result, p.data);
        if (turned_away && rules::in_time(*b, p.echo, m))
            wrong(f);
        if (turned_away && m.present && !f.closed)
            f.turned_away = patience::excuse(*b, m);
        if (f.turned_away == cause::in_time)
            wrong(f);
    }
    return cause_of_reset(p, f, b, done, m);
}

cause ledger::cause_of_reset(const packet& p, const file& f, const birth* b, const completed& done,
                             const handoff_moment& m) const {
    const bool lost = f.record && f.host_life != host_lives_;
    if (!m.present || b == nullptr || lost || belongs_to_a_connection(done.result))
        return cause::gone;
    if (p.completing)
        return rules::in_time(*b, p.echo, m) ? cause::in_time : patience::excuse(*b, m);
    if (!b->stamped)
        return cause::overtaken;
    return rules::known_by_its_echo(*b, p.echo, m) ? cause::in_time : patience::excuse(*b, m);
}

// Of all peers that have had those ends, the one with that initial sequence number.
u32 ledger::asker(const segment& s) const {
    u32 peer = peer_at(tuple_of(s));
    while (peer != nobody && files_[peer].isn + 1 != s.sequence)
        peer = files_[peer].former;
    return peer;
}

void ledger::admitted(const packet& p, const segment& s, const established& e, const handoff_moment& m) {
    const u32 peer = asker(s);
    file* f = peer == nobody ? nullptr : &files_[peer];
    const birth* b = f != nullptr && f->taken == e.local_isn ? birth_of(peer, e.local_isn, p.echo) : nullptr;
    const bool rightly = b != nullptr && rules::in_time(*b, p.echo, m) && !patience::overdue(*b, m);
    if (const u32 last = peer_at(tuple_of(s)); f != nullptr && last != peer)
        files_[last].haunted = true;
    if (!confirmed(p, s, e, m))
        ++sum.forged;
    else if (p.from == sender::guesser)
        sum.guessed += !rightly || !sound(*f, *b, e, m);
    else if (!rightly)
        ++sum.unasked;
    else
        enter(*f, *b, e, m);
}

bool ledger::sound(const file& f, const birth& b, const established& e, const handoff_moment& m) {
    return agrees(e, b, f.offered) && clock_runs_on(e, b, m) && (!f.record || agree(*f.record, e));
}

void ledger::enter(file& f, const birth& b, const established& e, const handoff_moment& m) {
    sum.disagreeing += !sound(f, b, e, m);
    sum.again += f.record.has_value();
    f.record = e;
    f.host_life = host_lives_;
}

} // namespace vestibule::test
