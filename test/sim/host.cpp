#include "test/sim/host.hpp"

#include "test/support/draft.hpp"

namespace vestibule::test {

namespace {

draft answer_to(const segment& s) {
    return {.v6 = s.v6,
            .source = s.destination,
            .destination = s.source,
            .from_port = host(s.destination_port),
            .to_port = host(s.source_port)};
}

} // namespace

listener host_stack::listener_for(const segment& s) const {
    if (connections_.contains(tuple_of(s)))
        return in_state(socket_state::connection);
    const u16 port = host(s.destination_port);
    if (port != plain_port && port != deferring_port)
        return {};
    listener l = listening();
    l.queue_full = queue_full();
    l.waits_for_data = port == deferring_port;
    return l;
}

void host_stack::receive(const packet& p, const std::optional<established>& record, u64 now_ms, const voice& say) {
    const read_frame r = read(p.frame);
    if (r.how != shape::tcp)
        return;
    auto it = connections_.find(tuple_of(r.s));
    if (record) {
        if (it != connections_.end() || queue_full()) { // kernel: inet_ehash_nolisten finds the other, the segment goes
            ++unbuilt;
            return;
        }
        take_over(*record, now_ms);
        it = connections_.find(tuple_of(r.s));
    }
    if (it == connections_.end())
        return begin(r, say);
    if (has(r.s, wire::rst)) {
        if (r.s.sequence == it->second.next_in)
            connections_.erase(it);
        return;
    }
    proceed(it->second, r, now_ms, say);
    if (has(r.s, wire::fin) && it->second.where != state::half_open && r.s.sequence == it->second.next_in) {
        if (chance_.chance(500))
            it->second.where = state::lingering;
        else
            connections_.erase(it);
    }
}

void host_stack::take_over(const established& e, u64 now_ms) {
    const tuple who{e.peer, e.local, e.peer_port, e.local_port};
    const u32 clock = e.timestamp_now - static_cast<u32>(now_ms);
    connections_[who] = {state::established, e.peer_isn + 1, e.local_isn + 1,
                         e.timestamps != 0,  clock,          e.peer_timestamp};
    waiting_ += slow_;
}

// RFC 9293 section 3.10.7.2, in LISTEN.
void host_stack::begin(const read_frame& r, const voice& say) {
    if (has(r.s, wire::rst))
        return;
    draft d = answer_to(r.s);
    if (has(r.s, wire::ack)) {
        d.flags = wire::rst;
        d.sequence = r.s.acknowledgment;
        return say(frame_of(d), true);
    }
    if (!has(r.s, wire::syn) || queue_full())
        return;
    d.flags = wire::syn | wire::ack;
    d.sequence = chance_.word();
    d.acknowledgment = r.s.sequence + 1;
    d.options = opt::mss(1460);
    connections_[tuple_of(r.s)] = {state::half_open, d.acknowledgment, d.sequence + 1, false, 0, 0};
    say(frame_of(d), false);
}

void host_stack::proceed(connection& c, const read_frame& r, u64 now_ms, const voice& say) {
    if (has(r.s, wire::syn)) { // RFC 5961 section 4: a challenge ACK; a half-open one says its SYN-ACK again
        draft d = answer_to(r.s);
        const bool again = c.where == state::half_open;
        d.flags = again ? wire::syn | wire::ack : wire::ack;
        d.sequence = again ? c.next_out - 1 : c.next_out;
        d.acknowledgment = c.next_in;
        d.options = again ? opt::mss(1460) : bytes{};
        if (again || !c.stamped)
            return say(frame_of(d), false);
        return acknowledge(c, r.s, now_ms, say);
    }
    if (!has(r.s, wire::ack))
        return;
    if (c.where == state::half_open) {
        if (r.s.acknowledgment != c.next_out) { // RFC 9293 section 3.10.7.4
            draft d = answer_to(r.s);
            d.flags = wire::rst;
            d.sequence = r.s.acknowledgment;
            return say(frame_of(d), true);
        }
        c.where = state::established;
        ++by_itself;
    }
    consume(c, r, now_ms, say);
}

void host_stack::consume(connection& c, const read_frame& r, u64 now_ms, const voice& say) {
    if (r.s.payload_length == 0)
        return;
    if (c.stamped && offers(r.o, offers_timestamps))
        c.peer_timestamp = r.o.timestamp;
    if (r.s.sequence == c.next_in)
        c.next_in += r.s.payload_length;
    acknowledge(c, r.s, now_ms, say);
}

void host_stack::acknowledge(const connection& c, const segment& s, u64 now_ms, const voice& say) const {
    draft d = answer_to(s);
    d.flags = wire::ack;
    d.sequence = c.next_out;
    d.acknowledgment = c.next_in;
    if (c.stamped)
        d.options = opt::stamped(c.clock_minus_now + static_cast<u32>(now_ms), c.peer_timestamp);
    say(frame_of(d), false);
}

} // namespace vestibule::test
