// Integers of known width, and network-order integers that do not mix with them.
//
// be16 and be32 are enumerations, not classes: a value of theirs may stand in a structure that the kernel's type
// information (BTF) describes, where methods are refused. Convert with host() and network(), nothing else compiles.
#pragma once

namespace vestibule {

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
static_assert(sizeof(u16) == 2 && sizeof(u32) == 4 && sizeof(u64) == 8);
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the cookie's message is defined for little-endian machines");

enum class be16 : u16 {};
enum class be32 : u32 {};

constexpr u16 host(be16 value) {
    return __builtin_bswap16(static_cast<u16>(value));
}
constexpr u32 host(be32 value) {
    return __builtin_bswap32(static_cast<u32>(value));
}
constexpr be16 network(u16 value) {
    return be16{__builtin_bswap16(value)};
}
constexpr be32 network(u32 value) {
    return be32{__builtin_bswap32(value)};
}

} // namespace vestibule
