// The engine in a native port: what bpf/adaptor.bpf.cpp and bpf/handoff.bpf.cpp are to the kernel, over a host that a
// test makes up. Any host will do that answers `answer_for`, `listener_for`, `way_for` and `just_admitted` as imagined_host does.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "engine/attempt.hpp"
#include "engine/completion.hpp"
#include "engine/parse.hpp"
#include "test/support/bytes.hpp"

namespace vestibule::test {

inline listener in_state(socket_state state) {
    listener l{};
    l.state = state;
    return l;
}

// A listener with these properties: listening(&listener::queue_full).
template <class... Flags>
listener listening(Flags... flags) {
    listener l = in_state(socket_state::listening);
    ((l.*flags = true), ...);
    return l;
}

// The sockets and the answers of a host.
struct imagined_host {
    struct door {
        address local;
        be16 port;
        listener socket;
    };
    struct tuple {
        address peer;
        be16 peer_port;
        address local;
        be16 local_port;
    };

    std::vector<door> doors;
    std::vector<tuple> connections;
    std::vector<std::pair<endpoint, answer>> answers;
    std::vector<std::pair<address, way>> ways; // to peers, from frames without a tag
    mutable int answer_calls = 0;
    mutable int listener_calls = 0;
    mutable int way_calls = 0;

    const answer* answer_for(const endpoint& where) const {
        ++answer_calls;
        for (const auto& [at, a] : answers)
            if (__builtin_memcmp(&at, &where, sizeof(where)) == 0)
                return &a;
        return nullptr;
    }

    listener listener_for(const segment& s) const {
        ++listener_calls;
        for (const tuple& t : connections)
            if (same(t.peer, s.source) && t.peer_port == s.source_port && same(t.local, s.destination) &&
                t.local_port == s.destination_port)
                return in_state(socket_state::connection);
        if (s.v6 && is_v4(s.destination)) // an IPv4 socket takes nothing out of an IPv6 packet
            return {};
        for (const door& d : doors)
            if (same(d.local, s.destination) && d.port == s.destination_port)
                return d.socket;
        return {};
    }

    way way_for(const segment& s) const {
        ++way_calls;
        for (const auto& [peer, w] : ways)
            if (same(peer, s.source) && s.vlan.outer == 0 && s.vlan.inner == 0)
                return w;
        return {};
    }

    // Whether this CPU remembers having just admitted the segment's connection.
    static bool just_admitted(const segment&) { return false; }
};

struct read_frame {
    shape how = shape::malformed;
    segment s{};
    offer o{};
};

inline frame span_of(bytes& b) {
    b.reserve(1); // no port has a frame at the null address
    return {b.data(), b.data() + b.size()};
}

inline read_frame read(bytes b, tags stripped = {}) {
    read_frame r;
    r.s.vlan = stripped;
    r.how = parse(span_of(b), r.s);
    if (r.how == shape::tcp)
        r.o = read_options(span_of(b), r.s);
    return r;
}

struct attempted {
    outcome result{};
    synack answer{};
    bytes reply{}; // the frame as the adaptor leaves it: the SYN-ACK, or the frame that came
};

struct completed {
    outcome result{};
    established record{};
};

// What the adaptor does with a frame.
template <class Host>
attempted attempt(const bytes& arriving, Host&& h, const circumstances& c) {
    attempted a;
    a.reply = arriving;
    const read_frame r = read(arriving);
    if (r.how != shape::tcp) {
        a.result = judge_unread(r.how);
        return a;
    }
    a.result = judge_attempt(span_of(a.reply), r.s, r.o, c, h, a.answer);
    if (a.result.act != action::reply)
        return a;
    a.reply.resize(reply_length(r.s, a.answer));
    if (!write_synack(span_of(a.reply), r.s, a.answer))
        a.result = {action::pass, reason::reply_too_long};
    return a;
}

// What the handoff does with a frame.
template <class Host>
completed complete(const bytes& arriving, Host&& h, const circumstances& c) {
    const read_frame r = read(arriving);
    if (r.how != shape::tcp)
        return {{action::pass, reason::not_tcp}, {}};
    if (!has(r.s, wire::ack) || has_any(r.s, wire::syn | wire::rst) || r.s.fragmented)
        return {{action::pass, reason::not_a_completion}, {}};
    if (r.s.sequence == c.rehearsal_token)
        return {{action::pass, reason::rehearsal}, {}};
    const listener l = h.listener_for(r.s);
    if (l.state != socket_state::listening)
        return {{action::pass, l.state == socket_state::absent ? reason::no_socket : reason::known_connection}, {}};
    if (h.just_admitted(r.s))
        return {{action::pass, reason::just_admitted}, {}};
    completed done;
    done.result = judge_completion(r.s, r.o, l, c, h, done.record);
    if (done.result.act == action::admit && l.queue_full)
        done.result = {action::drop, reason::accept_queue_full};
    return done;
}

} // namespace vestibule::test
