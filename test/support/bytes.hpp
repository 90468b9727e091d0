// Bytes in tests: strings of them, put together and taken apart in network order.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <vector>

#include "abi/scalar.hpp"

namespace vestibule::test {

using bytes = std::vector<u8>;

inline bytes join(std::initializer_list<bytes> parts) {
    bytes all;
    for (const bytes& part : parts)
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

inline void append(bytes& to, u8 value) {
    to.push_back(value);
}
inline void append(bytes& to, const bytes& more) {
    to.insert(to.end(), more.begin(), more.end());
}
inline void append_two(bytes& to, u32 value) {
    to.push_back(static_cast<u8>(value >> 8));
    to.push_back(static_cast<u8>(value));
}
inline void append_four(bytes& to, u32 value) {
    append_two(to, value >> 16);
    append_two(to, value);
}

inline bytes two(u32 value) {
    return {static_cast<u8>(value >> 8), static_cast<u8>(value)};
}
inline bytes four(u32 value) {
    return join({two(value >> 16), two(value)});
}

inline u32 two_at(const bytes& b, std::size_t at) {
    return static_cast<u32>(b.at(at)) << 8 | b.at(at + 1);
}
inline u32 four_at(const bytes& b, std::size_t at) {
    return two_at(b, at) << 16 | two_at(b, at + 2);
}

inline bytes part(const bytes& b, std::size_t from, std::size_t count) {
    const auto first = b.begin() + static_cast<std::ptrdiff_t>(from);
    return {first, first + static_cast<std::ptrdiff_t>(count)};
}

inline bytes truncated(bytes b, std::size_t length) {
    b.resize(length);
    return b;
}

inline bytes with_byte(bytes b, std::size_t at, u8 value) {
    b.at(at) = value;
    return b;
}

// The sum of 16-bit words of RFC 1071 section 1, over bytes `from` and following, on top of `sum`.
inline u32 ones_complement_sum(const bytes& b, std::size_t from = 0, u32 sum = 0) {
    for (std::size_t i = from; i < b.size(); i += 2) {
        sum += static_cast<u32>(b[i]) << 8 | (i + 1 < b.size() ? b[i + 1] : 0U);
        if (sum > 0xffff)
            sum -= 0xffff; // the carry comes back at the other end
    }
    return sum;
}

// The Internet checksum as that section words it: slow, and nothing like the engine's.
inline u32 internet_checksum(const bytes& b) {
    return 0xffff - ones_complement_sum(b);
}

} // namespace vestibule::test
