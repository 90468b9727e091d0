#include "test/sim/peer.hpp"

#include "test/sim/host.hpp"
#include "test/support/oracle.hpp"

namespace vestibule::test {

namespace {

// Linux, Windows, a peer of few words, and whatever else can be offered.
peer_offer some_offer(randomness& chance) {
    constexpr u16 sizes[]{1460, 1460, 1460, 1440, 1400, 1380, 1300, 9000, 536, 100, 0};
    const u16 mss = sizes[chance.below(std::size(sizes))];
    const auto shift = static_cast<u8>(chance.below(15));
    switch (chance.below(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
        return {true, true, true, chance.chance(100), 7, mss};
    case 4:
    case 5:
    case 6:
        return {true, true, false, chance.chance(100), 8, mss};
    case 7:
        return {false, false, false, false, 0, mss};
    default:
        return {chance.chance(500), chance.chance(500), chance.chance(500), chance.chance(500), shift, mss};
    }
}

tuple some_ends(u32 port, bool v6, randomness& chance) {
    static const address local_v4 = ip("192.0.2.1");
    static const address local_v6 = ip("2001:db8::1");
    static const address v6_site = ip("2001:db8:5::");
    tuple t{};
    t.peer = v6 ? v6_site : address{{be32{}, be32{}, mapped_prefix, be32{}}};
    t.peer.word[3] = network(0xc6336400U | (port / 60'000 & 0xff)); // 198.51.100.0/24
    t.local = v6 ? local_v6 : local_v4;
    t.peer_port = network(static_cast<u16>(1024 + port % 60'000));
    t.local_port = network(chance.chance(100) ? deferring_port : plain_port);
    return t;
}

u64 pause_before_request(randomness& chance) {
    const u64 kind = chance.below(100);
    return kind < 60 ? 0 : chance.below(kind < 90 ? 300 : kind < 98 ? 5'000 : 90'000);
}

bool after(u32 a, u32 b) {
    return static_cast<int>(a - b) > 0;
}

} // namespace

peer::peer(u32 number, u32 port, street& around)
    : number_(number), around_(around), v6_(around.chance.chance(300)), offer_(some_offer(around.chance)),
      isn_(around.chance.word()), clock_offset_(around.chance.word()), unacknowledged_(isn_ + 1),
      end_(isn_ + 1 + segment_bytes * static_cast<u32>(1 + around.chance.below(3))) {
    ends_ = some_ends(port, v6_, around.chance);
    around_.book.open(number, ends_, isn_, offer_);
}

void peer::begin() {
    send_syn();
    wait(1000);
}

// --- Sending ----------------------------------------------------------------------------------------------------------

draft peer::segment_at(u32 sequence, u8 flags) const {
    draft d{.v6 = v6_,
            .source = ends_.peer,
            .destination = ends_.local,
            .from_port = host(ends_.peer_port),
            .to_port = host(ends_.local_port),
            .sequence = sequence,
            .acknowledgment = next_in_,
            .flags = flags};
    if (stamped_)
        d.options = opt::stamped(clock(), recent_);
    return d;
}

bytes peer::syn_options() const {
    bytes b;
    if (offer_.mss != 0)
        append(b, opt::mss(offer_.mss));
    if (offer_.sack)
        append(b, opt::sack_permitted());
    if (offer_.stamps)
        append(b, opt::timestamps(clock()));
    if (offer_.scale)
        append(b, join({opt::nop(), opt::scale(offer_.shift)}));
    return b;
}

void peer::send(const draft& d) {
    packet p{.frame = frame_of(d), .peer = number_};
    p.completing = state_ == state::established && d.sequence == isn_ + 1;
    p.data = !d.payload.empty();
    p.cookie = next_in_ - 1;
    p.echo = stamped_ ? recent_ : 0;
    around_.send(std::move(p));
}

void peer::send_syn() {
    draft d = segment_at(isn_, static_cast<u8>(wire::syn | (offer_.ecn ? wire::ece | wire::cwr : 0)));
    d.options = syn_options();
    send(d);
}

void peer::acknowledge() {
    send(segment_at(sent_ != 0 ? end_ : unacknowledged_, wire::ack));
}

void peer::send_segment(u32 sequence) {
    static const bytes content(segment_bytes, 'x');
    draft d = segment_at(sequence, wire::ack | wire::psh);
    d.payload = content;
    send(d);
}

void peer::request() {
    if (state_ != state::established || sent_ != 0)
        return;
    sent_ = 1;
    for (u32 at = unacknowledged_; at != end_; at += segment_bytes)
        send_segment(at);
    tries_ = 0;
    wait(1000);
}

// --- Timers -----------------------------------------------------------------------------------------------------------

void peer::wait(u64 ms) {
    around_.time.after(ms, [this, mine = ++waiting_] {
        if (mine == waiting_ && state_ != state::closed)
            waited_in_vain();
    });
}

void peer::waited_in_vain() {
    ++tries_;
    if (state_ == state::syn_sent) {
        if (tries_ == most_syns)
            return close(fate::unheard, cause::none);
        ++around_.book.sum.syns_resent;
        send_syn();
    } else {
        if (tries_ == most_repeats)
            return close(fate::stuck, cause::none);
        ++around_.book.sum.data_resent;
        send_segment(unacknowledged_);
    }
    wait(1000ULL << tries_);
}

void peer::close(fate f, cause why) {
    state_ = state::closed;
    around_.book.closed(number_, f, why);
}

// --- Receiving --------------------------------------------------------------------------------------------------------

bool peer::well_formed(const reply& r) const {
    return r.ip_sum == 0 && r.tcp_sum == 0 && r.lengths_agree && r.v6 == v6_ && r.reserved == 0 && r.urgent == 0 &&
           r.from_port == host(ends_.local_port) && r.to_port == host(ends_.peer_port);
}

// RFC 9293, 7323, 2018, 3168: only what was offered; the echo is of a SYN sent within the last minute or so.
bool peer::rightful(const reply& r, const offer& said) const {
    const u32 offered = (offer_.scale ? offers_window_scale : 0U) | (offer_.sack ? offers_sack : 0U) |
                        (offer_.stamps ? offers_timestamps : 0U);
    const bool echoes = !offers(said, offers_timestamps) || clock() - said.timestamp_echo < 130'000;
    return (said.kinds & ~offered) == 0 && echoes && said.mss != 0 && (offer_.ecn || (r.flags & wire::ece) == 0) &&
           (r.flags & ~u32{wire::ece}) == (wire::syn | wire::ack);
}

void peer::receive(const packet& p) {
    if (state_ == state::closed)
        return;
    const reply r = take_apart(p.frame);
    if (!well_formed(r))
        ++around_.book.sum.bad_frames;
    else if ((r.flags & wire::rst) != 0)
        take_reset(r, p.reset);
    else if (state_ == state::syn_sent)
        take(r);
    else if ((r.flags & wire::syn) != 0)
        acknowledge(); // RFC 9293 section 3.10.7.4: a SYN here is answered with an ACK
    else
        take_acknowledgment(r);
}

// The SYN-ACK.
void peer::take(const reply& r) {
    if (r.acknowledgment != isn_ + 1)
        return reject(r);
    if ((r.flags & wire::syn) == 0)
        return;
    const offer said = oracle::read_options(r.options);
    if (!rightful(r, said)) {
        ++around_.book.sum.bad_frames;
        return;
    }
    state_ = state::established;
    next_in_ = r.sequence + 1;
    stamped_ = offers(said, offers_timestamps);
    recent_ = said.timestamp;
    ++waiting_; // the SYN's timer
    around_.book.taken(number_, r.sequence);
    acknowledge();
    const u64 pause = pause_before_request(around_.chance);
    if (pause == 0)
        return request();
    around_.time.after(pause, [this] { request(); });
}

// RFC 9293 section 3.10.7.3: what acknowledges nothing of ours belongs to an earlier connection of these ends, and that is
// over.
void peer::reject(const reply& r) {
    if ((r.flags & wire::ack) != 0)
        send(segment_at(r.acknowledgment, wire::rst));
}

void peer::take_reset(const reply& r, cause why) {
    const bool fits = state_ == state::syn_sent ? r.acknowledgment == isn_ + 1 : r.sequence == next_in_;
    if (fits)
        close(fate::refused, why);
}

void peer::take_acknowledgment(const reply& r) {
    const offer said = oracle::read_options(r.options);
    if (stamped_ && offers(said, offers_timestamps)) {
        if (after(recent_, said.timestamp)) { // RFC 7323 section 5.3
            ++around_.book.sum.too_old;
            return;
        }
        recent_ = said.timestamp;
    }
    if (!after(r.acknowledgment, unacknowledged_) || after(r.acknowledgment, end_) || sent_ == 0)
        return;
    unacknowledged_ = r.acknowledgment;
    tries_ = 0;
    if (unacknowledged_ == end_) {
        send(segment_at(end_, wire::fin | wire::ack));
        return close(fate::served, cause::none);
    }
    wait(1000);
}

} // namespace vestibule::test
