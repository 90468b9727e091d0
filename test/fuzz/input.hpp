// What a fuzzer is given, taken from the front piece by piece; and how it says that a property does not hold.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "engine/segment.hpp"
#include "test/support/bytes.hpp"

namespace vestibule::test {

class input {
public:
    input(const u8* data, std::size_t size) : at_(data), end_(data + size) {}

    // Zeros, where nothing is left.
    template <class Value>
    Value take() {
        Value value{};
        const std::size_t count = left() < sizeof(Value) ? left() : sizeof(Value);
        if (count != 0)
            std::memcpy(&value, at_, count);
        at_ += count;
        return value;
    }
    bytes take_bytes(std::size_t most) {
        const std::size_t count = left() < most ? left() : most;
        at_ += count;
        return {at_ - count, at_};
    }
    bytes rest() { return take_bytes(left()); }
    [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

private:
    const u8* at_;
    const u8* end_;
};

inline void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

// A frame in memory of exactly its size, so that AddressSanitizer sees the first byte that is read or written beside
// it.
class exact_frame {
public:
    explicit exact_frame(const bytes& content, std::size_t length)
        : memory_(new u8[length]), length_(length), before_(content) {
        std::memset(memory_.get(), 0x5a, length);
        if (const std::size_t count = content.size() < length ? content.size() : length; count != 0)
            std::memcpy(memory_.get(), content.data(), count);
    }
    explicit exact_frame(const bytes& content) : exact_frame(content, content.size()) {}

    [[nodiscard]] frame span(u32 beyond = 0) const { return {memory_.get(), memory_.get() + length_, beyond}; }
    [[nodiscard]] bytes content() const { return {memory_.get(), memory_.get() + length_}; }
    [[nodiscard]] bool untouched() const { return content() == before_; }

private:
    std::unique_ptr<u8[]> memory_;
    std::size_t length_;
    bytes before_;
};

} // namespace vestibule::test
