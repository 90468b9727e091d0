// Both ends of a connection.
#pragma once

#include <cstddef>
#include <cstring>

#include "engine/segment.hpp"

namespace vestibule::test {

struct tuple {
    address peer;
    address local;
    be16 peer_port;
    be16 local_port;

    bool operator==(const tuple& other) const { return std::memcmp(this, &other, sizeof(tuple)) == 0; }
};
static_assert(sizeof(tuple) == 36, "no padding");

struct tuple_hash {
    std::size_t operator()(const tuple& t) const {
        u64 hash = 0;
        u32 word = 0;
        for (std::size_t at = 0; at < sizeof(tuple); at += sizeof(word)) {
            std::memcpy(&word, reinterpret_cast<const u8*>(&t) + at, sizeof(word));
            hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
            hash ^= hash >> 29;
        }
        return hash;
    }
};

inline tuple tuple_of(const segment& s) {
    return {s.source, s.destination, s.source_port, s.destination_port};
}

} // namespace vestibule::test
