// SipHash-2-4 (Aumasson, Bernstein 2012), against the published vectors and against libsodium.
#include <gtest/gtest.h>

#include <random>

#include "test/engine/world.hpp"

namespace vestibule::test {
namespace {

u64 word_of(const bytes& b, std::size_t at, std::size_t count) {
    u64 word = 0;
    for (std::size_t i = 0; i < count; ++i)
        word |= static_cast<u64>(b[at + i]) << (8 * i);
    return word;
}

u64 hash(const secret_key& key, const bytes& message) {
    siphash h = sip::start(key);
    std::size_t at = 0;
    for (; message.size() - at >= 8; at += 8)
        sip::add(h, word_of(message, at, 8));
    const std::size_t rest = message.size() - at;
    return sip::finish(h, word_of(message, at, rest), static_cast<u32>(rest));
}

bytes counting(std::size_t length) {
    bytes b(length);
    for (std::size_t i = 0; i < length; ++i)
        b[i] = static_cast<u8>(i);
    return b;
}

std::string little_endian(u64 value) {
    bytes b;
    for (int i = 0; i < 8; ++i)
        b.push_back(static_cast<u8>(value >> (8 * i)));
    return hex(b);
}

TEST(siphash, appendix_a_of_the_paper_gives_its_own_example) {
    EXPECT_EQ(hash(some_keys.cookie[0], counting(15)), 0xa129ca6149be45e5ULL);
}

// From the reference implementation's vectors_sip64: key 00..0f, message 00..length-1.
TEST(siphash, reference_vectors_hold) {
    constexpr const char* vectors[]{"310e0edd47db6f72", "fd67dc93c539f874", "5a4fa9d909806c0d",
                                    "2d7efbd796666785", "b7877127e09427cf", "8da699cd64557618",
                                    "cee3fe586e46c9cb", "37d1018bf50002ab", "6224939a79f5f593"};
    std::size_t length = 0;
    for (const char* vector : vectors)
        EXPECT_EQ(little_endian(hash(some_keys.cookie[0], counting(length++))), vector);
}

TEST(siphash, agrees_with_libsodium_on_every_length_and_many_keys) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 2000; ++i) {
        const secret_key key{random(), random()};
        bytes message(static_cast<std::size_t>(i % 64));
        for (u8& b : message)
            b = static_cast<u8>(random());
        ASSERT_EQ(hash(key, message), sodium_siphash(key, message)) << "length " << message.size();
    }
}

} // namespace
} // namespace vestibule::test
