// SipHash-2-4 (Aumasson, Bernstein 2012), against the published vectors and against libsodium; SipHash-1-3 against published
// vectors.
#include <gtest/gtest.h>

#include <random>

#include "test/engine/world.hpp"

namespace vestibule::test {
namespace {

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
    EXPECT_EQ(hash<siphash_2_4>(some_keys.cookie[0], counting(15)), 0xa129ca6149be45e5ULL);
}

// The first is the one of Rust's core::hash::SipHasher13, the others are OCaml's, made with the authors' implementation.
TEST(siphash, vectors_of_1_3_hold) {
    EXPECT_EQ(little_endian(hash<siphash_1_3>(some_keys.cookie[0], {})), "dcc40f055801acab");
    EXPECT_EQ(hash<siphash_1_3>(secret_key{}, counting(0)), 0xd1fba762150c532cULL);
    EXPECT_EQ(hash<siphash_1_3>(secret_key{}, counting(1)), 0x68a914128e01e473ULL);
}

// From the reference implementation's vectors_sip64: key 00..0f, message 00..length-1.
TEST(siphash, reference_vectors_hold) {
    constexpr const char* vectors[]{"310e0edd47db6f72", "fd67dc93c539f874", "5a4fa9d909806c0d",
                                    "2d7efbd796666785", "b7877127e09427cf", "8da699cd64557618",
                                    "cee3fe586e46c9cb", "37d1018bf50002ab", "6224939a79f5f593"};
    std::size_t length = 0;
    for (const char* vector : vectors)
        EXPECT_EQ(little_endian(hash<siphash_2_4>(some_keys.cookie[0], counting(length++))), vector);
}

TEST(siphash, agrees_with_others_on_every_length_and_many_keys) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 2000; ++i) {
        const secret_key key{random(), random()};
        bytes message(static_cast<std::size_t>(i % 64));
        for (u8& b : message)
            b = static_cast<u8>(random());
        ASSERT_EQ(hash<siphash_2_4>(key, message), sodium_siphash(key, message)) << "length " << message.size();
        ASSERT_EQ(hash<siphash_1_3>(key, message), siphash_1_3_by_definition::of(key, message)) << message.size();
    }
}

} // namespace
} // namespace vestibule::test
