// A handshake up to its completing ACK, and what becomes of that.
#pragma once

#include "test/engine/judgement.hpp"

namespace vestibule::test {

inline constexpr outcome admitted{action::admit, reason::admitted};
inline constexpr outcome invalid{action::pass, reason::cookie_invalid}; // for the stack to reset
inline constexpr outcome lost{action::drop, reason::first_segments_lost};

inline draft linux_v4() {
    return v4({.options = opt::linux_syn()});
}
inline draft linux_v6() {
    return v6({.options = opt::linux_syn()});
}
inline draft windows_v4() {
    return v4({.options = opt::windows_syn()});
}

struct handshake {
    draft syn;
    synack answer;

    handshake(const draft& d, const world& w) : syn(d), answer(w.attempt(d).answer) {}
    [[nodiscard]] draft ack() const { return completing(syn, answer); }
};

inline draft ack_of(const draft& syn, const world& w = {}) {
    return handshake(syn, w).ack();
}

inline outcome after(const draft& syn, const world& w = {}) {
    return w.complete(ack_of(syn, w)).result;
}

inline established record_of(const draft& syn, const world& w = {}) {
    const completed c = w.complete(ack_of(syn, w));
    EXPECT_EQ(c.result, admitted);
    return c.record;
}

} // namespace vestibule::test
