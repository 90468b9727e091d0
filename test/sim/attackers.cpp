#include "test/sim/attackers.hpp"

#include "test/sim/host.hpp"
#include "test/support/draft.hpp"

namespace vestibule::test {

namespace {

constexpr u64 within_ms = 70'000;

draft stranger(randomness& chance) {
    static const address here = ip("192.0.2.1");
    static const address mapped = ip("0.0.0.0");
    draft d{.source = mapped, .destination = here};
    d.source.word[3] = network(0xcb007100U | (chance.word() & 0xff)); // 203.0.113.0/24: nobody answers there
    d.from_port = static_cast<u16>(chance.word());
    d.to_port = plain_port;
    d.sequence = chance.word();
    return d;
}

} // namespace

void attackers::attack(const tuple& victim) {
    for (u32 i = 0; i < assault_.random_acks; ++i)
        time_.after(chance_.below(within_ms), [this, victim] { send_random_ack(victim); });
    for (u32 i = 0; i < assault_.spoofed_syns; ++i)
        time_.after(chance_.below(within_ms), [this] { send_spoofed_syn(); });
}

// In the name of a peer of ours, or of nobody's. Without timestamps: with them there is no chance worth counting.
void attackers::send_random_ack(const tuple& victim) {
    draft d = stranger(chance_);
    d.flags = wire::ack;
    d.acknowledgment = chance_.word();
    if (chance_.chance(500)) {
        d.v6 = !is_v4(victim.peer);
        d.source = victim.peer;
        d.destination = victim.local;
        d.from_port = host(victim.peer_port);
    }
    ++guesses;
    send_({.frame = frame_of(d), .from = sender::guesser});
}

void attackers::send_spoofed_syn() {
    draft d = stranger(chance_);
    d.options = opt::linux_syn();
    send_({.frame = frame_of(d), .from = sender::replayer});
}

void attackers::overhear(const packet& p) {
    if (!assault_.replays || !p.completing || !chance_.chance(250))
        return;
    packet again = p;
    again.peer = nobody;
    again.from = sender::replayer;
    if (chance_.chance(700))
        again = changed(std::move(again));
    time_.after(chance_.below(within_ms), [this, again] { send_(again); });
}

// One bit of sequence number or cookie, or another source port: a guess like any other. What a changed cookie leaves of
// the chance is that of its MAC.
packet attackers::changed(packet p) {
    constexpr std::size_t tcp_v4_at = 34;
    constexpr std::size_t tcp_v6_at = 54;
    const std::size_t tcp_at = p.frame.at(12) == 0x08 ? tcp_v4_at : tcp_v6_at;
    constexpr std::size_t fields[]{0, 1, 4, 5, 6, 7, 8, 9, 10, 11}; // source port, sequence, acknowledgment
    p.frame.at(tcp_at + fields[chance_.below(std::size(fields))]) ^= static_cast<u8>(1U << chance_.below(8));
    p.from = sender::guesser;
    ++guesses;
    return p;
}

} // namespace vestibule::test
