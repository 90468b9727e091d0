// Cookies made and checked by themselves, for either family, without a world around them.
#pragma once

#include <gtest/gtest.h>

#include "test/engine/world.hpp"

namespace vestibule::test {

inline constexpr memo some_memo{6, 7, true, false};
inline constexpr u8 our_shift = 9;

inline segment syn_of(const draft& d) {
    return read(frame_of(d)).s;
}

// The segment that acknowledges `cookie` to the SYN `s`.
inline segment acknowledging(segment s, u32 cookie) {
    s.flags = wire::ack;
    s.sequence += 1;
    s.acknowledgment = cookie + 1;
    return s;
}

inline bool holds(const key_ring& keys, const segment& ack, u8 shift = our_shift) {
    memo m{};
    return check_cookie(keys, ack, shift, m);
}

// The ring after the next change of keys.
inline key_ring rotated(key_ring keys, u64 fresh) {
    keys.current ^= 1;
    keys.cookie[keys.current] = {fresh, fresh * 3};
    return keys;
}

class cookie_of : public testing::TestWithParam<bool> {
protected:
    static draft syn_draft() { return GetParam() ? v6() : v4(); }
    static segment syn() { return syn_of(syn_draft()); }
    static u32 made(const memo& m = some_memo) { return make_cookie(some_keys, syn(), m, our_shift); }
};

inline std::string family_of(const testing::TestParamInfo<bool>& info) {
    return info.param ? "v6" : "v4";
}

} // namespace vestibule::test
