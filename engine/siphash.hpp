// SipHash-c-d (Aumasson, Bernstein 2012) over a message of little-endian words: `add` for each eight bytes, `finish` with
// the at most seven last ones. The message length is part of the hash, as in the definition. SipHash-2-4 is the authors'
// choice, and the one for what must not be forged; SipHash-1-3 takes half the time, for what must just not be guessed.
#pragma once

#include "abi/keys.hpp"
#include "engine/inline.hpp"

namespace vestibule {

template <int C, int D>
struct siphash {
    u64 v0;
    u64 v1;
    u64 v2;
    u64 v3;
    u64 length;
};
using siphash_2_4 = siphash<2, 4>;
using siphash_1_3 = siphash<1, 3>;

namespace sip {

ENGINE constexpr u64 rotate(u64 x, int bits) {
    return (x << bits) | (x >> (64 - bits));
}

template <int C, int D>
ENGINE constexpr void round(siphash<C, D>& h) {
    h.v0 += h.v1;
    h.v1 = rotate(h.v1, 13) ^ h.v0;
    h.v0 = rotate(h.v0, 32);
    h.v2 += h.v3;
    h.v3 = rotate(h.v3, 16) ^ h.v2;
    h.v0 += h.v3;
    h.v3 = rotate(h.v3, 21) ^ h.v0;
    h.v2 += h.v1;
    h.v1 = rotate(h.v1, 17) ^ h.v2;
    h.v2 = rotate(h.v2, 32);
}

template <int C, int D>
ENGINE constexpr void absorb(siphash<C, D>& h, u64 word) {
    h.v3 ^= word;
    for (int i = 0; i < C; ++i)
        round(h);
    h.v0 ^= word;
}

template <class Hash>
ENGINE constexpr Hash start(const secret_key& key) {
    return {key.low ^ 0x736f6d6570736575ULL, key.high ^ 0x646f72616e646f6dULL, key.low ^ 0x6c7967656e657261ULL,
            key.high ^ 0x7465646279746573ULL, 0};
}

template <int C, int D>
ENGINE constexpr void add(siphash<C, D>& h, u64 word) {
    absorb(h, word);
    h.length += 8;
}

// `rest` holds the last `bytes` (0..7) of the message in its low bytes.
template <int C, int D>
ENGINE constexpr u64 finish(siphash<C, D> h, u64 rest, u32 bytes) {
    absorb(h, ((h.length + bytes) << 56) | rest);
    h.v2 ^= 0xff;
    for (int i = 0; i < D; ++i)
        round(h);
    return h.v0 ^ h.v1 ^ h.v2 ^ h.v3;
}

} // namespace sip
} // namespace vestibule
