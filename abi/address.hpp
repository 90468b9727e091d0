// One shape for addresses of both families: 16 bytes as on the wire, IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2).
#pragma once

#include "abi/scalar.hpp"

namespace vestibule {

struct address {
    be32 word[4];
};
static_assert(sizeof(address) == 16);

constexpr be32 mapped_prefix = network(0x0000ffffU);

constexpr bool is_v4(const address& a) {
    return a.word[0] == be32{} && a.word[1] == be32{} && a.word[2] == mapped_prefix;
}

constexpr bool same(const address& a, const address& b) {
    return a.word[0] == b.word[0] && a.word[1] == b.word[1] && a.word[2] == b.word[2] && a.word[3] == b.word[3];
}

} // namespace vestibule
