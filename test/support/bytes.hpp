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

// The Internet checksum as RFC 1071 section 1 words it: slow, and nothing like the engine's.
inline u32 internet_checksum(const bytes& b) {
    u32 sum = 0;
    for (std::size_t i = 0; i < b.size(); i += 2) {
        sum += static_cast<u32>(b[i]) << 8 | (i + 1 < b.size() ? b[i + 1] : 0U);
        if (sum > 0xffff)
            sum -= 0xffff; // the carry comes back at the other end
    }
    return 0xffff - sum;
}

} // namespace vestibule::test
