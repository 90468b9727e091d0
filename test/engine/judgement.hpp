// What becomes of one SYN, in few words: outcomes by name, what was read of its options, and the SYN-ACK taken apart.
#pragma once

#include <gtest/gtest.h>

#include "test/engine/world.hpp"

namespace vestibule::test {

// The whole engine is inlined into these two, which judgement.cpp therefore compiles for all tests.
extern template attempted attempt(const bytes&, imagined_host&&, const circumstances&);
extern template completed complete(const bytes&, imagined_host&&, const circumstances&);

inline constexpr outcome answered{action::reply, reason::syn_answered};

inline outcome passed(reason why) {
    return {action::pass, why};
}
inline outcome dropped(reason why) {
    return {action::drop, why};
}

inline outcome met(const draft& d, const world& w = {}) {
    return w.attempt(d).result;
}
inline outcome met_by(const listener& l, const draft& d = v4({.options = opt::linux_syn()})) {
    world w;
    w.socket = l;
    return met(d, w);
}

inline shape shape_of(const draft& d) {
    return read(frame_of(d)).how;
}

inline offer offer_of(const bytes& options) {
    const read_frame r = read(frame_of(v4({.options = options})));
    EXPECT_EQ(r.how, shape::tcp);
    return r.o;
}
inline u32 kinds_of(const bytes& options) {
    return offer_of(options).kinds;
}

inline reply reply_to(const draft& d, const world& w = {}) {
    const attempted a = w.attempt(d);
    EXPECT_EQ(a.result, answered);
    return take_apart(a.reply);
}
inline bytes options_to(const bytes& offered, const world& w = {}) {
    return reply_to(v4({.options = offered}), w).options;
}

// A world whose host agrees to these options and to no other.
inline world allowing(u8 options) {
    world w;
    w.v4_answer.with_timestamps.allows = w.v4_answer.without_timestamps.allows = options;
    w.v6_answer = w.v4_answer;
    return w;
}

// Any subset of what a peer may offer.
struct offered_options {
    bool scale;
    bool sack;
    bool stamps;
    bool ecn;

    explicit offered_options(u32 bits)
        : scale((bits & 1) != 0), sack((bits & 2) != 0), stamps((bits & 4) != 0), ecn((bits & 8) != 0) {}
};

inline draft offering(const offered_options& o) {
    return v4(
        {.flags = static_cast<u8>(wire::syn | (o.ecn ? wire::ece | wire::cwr : 0)),
         .options = join({opt::mss(1400), o.scale ? opt::scale(11) : bytes{}, o.sack ? opt::sack_permitted() : bytes{},
                          o.stamps ? opt::timestamps(0xbeef) : bytes{}})});
}

} // namespace vestibule::test
