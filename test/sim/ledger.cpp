#include "test/sim/ledger.hpp"

#include "engine/cookie.hpp"

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
    const u32 least = is_v4(e.peer) ? mss_v4.size[0] : mss_v6.size[0];
    return e.window_scale == b.scaled && e.local_shift == (b.scaled ? b.shift : 0) &&
           e.peer_shift == (b.scaled ? o.shift : 0) && e.sack == b.sack && e.timestamps == b.stamped &&
           e.ecn == b.ecn && (e.mss <= o.mss || e.mss == least);
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
    files_[peer] = {.who = who, .isn = isn, .offered = offered};
    by_tuple_[who] = peer;
    ++sum.handshakes;
}

void ledger::wrong(file& f) {
    if (!std::exchange(f.wronged, true))
        ++sum.refused_in_time;
}

void ledger::closed(u32 peer, fate f, cause why) {
    file& its = files_[peer];
    ++closed_;
    if (f == fate::served)
        ++sum.served;
    else if (f == fate::unheard || (f == fate::stuck && !its.was_late))
        ++sum.unheard;
    else if (why == cause::in_time)
        wrong(its);
    else if (why == cause::overtaken)
        ++sum.overtaken;
    else if (why == cause::gone)
        ++sum.gone;
    else if (why == cause::provoked)
        ++sum.provoked;
    else
        ++sum.late;
}

const birth* ledger::birth_of(u32 peer, u32 cookie) const {
    const auto& births = files_[peer].births;
    const auto it = std::ranges::find(births, cookie, &birth::cookie);
    return it == births.end() ? nullptr : &*it;
}

cause ledger::judge(const packet& p, const segment& s, const completed& done, const handoff_moment& m) {
    if (done.result.act == action::admit)
        admitted(p, s, done.record, m);
    if (p.from != sender::peer || p.peer == nobody)
        return cause::provoked;
    file& f = files_[p.peer];
    const birth* b = birth_of(p.peer, p.cookie);
    if (p.completing && b != nullptr && !belongs_to_a_connection(done.result)) {
        const bool in_time = rules::in_time(*b, p.echo, m);
        f.was_late |= !in_time;
        if (in_time && done.result.act != action::admit && !to_be_repeated(done.result, p.data))
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
        return rules::in_time(*b, p.echo, m) ? cause::in_time : cause::late;
    if (!b->stamped)
        return cause::overtaken;
    return rules::known_by_its_echo(*b, p.echo, m) ? cause::in_time : cause::late;
}

void ledger::admitted(const packet& p, const segment& s, const established& e, const handoff_moment& m) {
    const auto it = by_tuple_.find(tuple_of(s));
    file* f = it == by_tuple_.end() ? nullptr : &files_[it->second];
    const bool asked = f != nullptr && f->isn == e.peer_isn && f->taken == e.local_isn;
    const birth* b = asked ? birth_of(it->second, e.local_isn) : nullptr;
    const bool rightly = b != nullptr && rules::in_time(*b, p.echo, m);
    if (p.from == sender::guesser)
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
