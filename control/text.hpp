// Addresses and endpoints as people write them.
#pragma once

#include <array>
#include <cstring>
#include <string>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "abi/answer.hpp"

namespace vestibule {

inline std::string text(const address& a) {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (is_v4(a))
        inet_ntop(AF_INET, &a.word[3], buffer.data(), buffer.size());
    else
        inet_ntop(AF_INET6, a.word, buffer.data(), buffer.size());
    return buffer.data();
}

inline std::string text(const endpoint& e) {
    const std::string where = is_v4(e.local) ? text(e.local) : "[" + text(e.local) + "]";
    return fmt::format("{}:{}", where, host(e.port));
}

// `family` is AF_INET or AF_INET6, `bytes` the address in network order.
inline address address_from(int family, const void* bytes) {
    address a{};
    if (family == AF_INET) {
        a.word[2] = mapped_prefix;
        std::memcpy(&a.word[3], bytes, 4);
    } else {
        std::memcpy(a.word, bytes, sizeof(a.word));
    }
    return a;
}

inline int family_of(const address& a) {
    return is_v4(a) ? AF_INET : AF_INET6;
}

} // namespace vestibule
