// SipHash-1-3 by another hand: written down byte by byte from the definition (Aumasson, Bernstein 2012, section 2.4).
#pragma once

#include <array>
#include <bit>

#include "abi/keys.hpp"
#include "test/support/bytes.hpp"

namespace vestibule::test {

class siphash_1_3_by_definition {
public:
    static u64 of(const secret_key& key, bytes message) {
        siphash_1_3_by_definition state(key);
        const auto length = static_cast<u8>(message.size());
        message.resize(message.size() / 8 * 8 + 7);
        message.push_back(length);
        for (std::size_t at = 0; at < message.size(); at += 8)
            state.compress(word_at(message, at));
        state.v_[2] ^= 0xff;
        state.sip_round();
        state.sip_round();
        state.sip_round();
        return state.v_[0] ^ state.v_[1] ^ state.v_[2] ^ state.v_[3];
    }

private:
    explicit siphash_1_3_by_definition(const secret_key& key)
        : v_{key.low ^ text("somepseu"), key.high ^ text("dorandom"), key.low ^ text("lygenera"),
             key.high ^ text("tedbytes")} {}

    // The initial state spells "somepseudorandomlygeneratedbytes", the first letter in the top byte.
    static u64 text(const char* letters) {
        u64 word = 0;
        for (int i = 0; i < 8; ++i)
            word = word << 8 | static_cast<u8>(letters[i]);
        return word;
    }

    static u64 word_at(const bytes& message, std::size_t at) {
        u64 word = 0;
        for (std::size_t i = 8; i-- > 0;)
            word = word << 8 | message[at + i];
        return word;
    }

    void compress(u64 word) {
        v_[3] ^= word;
        sip_round();
        v_[0] ^= word;
    }

    void half_round(int a, int b, int c, int d, int first, int second) {
        v_[a] += v_[b];
        v_[c] += v_[d];
        v_[b] = std::rotl(v_[b], first) ^ v_[a];
        v_[d] = std::rotl(v_[d], second) ^ v_[c];
        v_[a] = std::rotl(v_[a], 32);
    }

    void sip_round() {
        half_round(0, 1, 2, 3, 13, 16);
        half_round(2, 1, 0, 3, 17, 21);
    }

    std::array<u64, 4> v_;
};

} // namespace vestibule::test
