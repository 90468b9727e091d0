#include "lab/prefix.hpp"

#include <arpa/inet.h>

#include <charconv>
#include <optional>
#include <stdexcept>

namespace vestibule::lab {

namespace {

std::optional<u32> parse_length(const std::string& text, u32 longest) {
    u32 length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    if (error != std::errc{} || end != text.data() + text.size() || length > longest)
        return std::nullopt;
    return length;
}

u32 mask_of_word(u32 word, u32 length) {
    const u32 first = 32 * word;
    if (length <= first)
        return ~0U;
    return length >= first + 32 ? 0 : htonl(~0U >> (length - first));
}

} // namespace

prefix parse_prefix(const std::string& text) {
    const auto slash = text.find('/');
    const std::string address = text.substr(0, slash);
    prefix result{};
    result.v4 = inet_pton(AF_INET, address.c_str(), result.address.data()) == 1;
    if (!result.v4 && inet_pton(AF_INET6, address.c_str(), result.address.data()) != 1)
        throw std::runtime_error("'" + text + "' is neither an IPv4 nor an IPv6 address or prefix");
    const u32 longest = result.v4 ? 32 : 128;
    const auto length = slash == std::string::npos ? longest : parse_length(text.substr(slash + 1), longest);
    if (!length)
        throw std::runtime_error("'" + text + "' has no prefix length from 0 to " + std::to_string(longest));
    for (u32 i = 0; i < (result.v4 ? 1U : 4U); ++i) {
        result.mask[i] = mask_of_word(i, *length);
        result.address[i] &= ~result.mask[i];
    }
    return result;
}

} // namespace vestibule::lab
