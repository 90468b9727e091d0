// The adaptor's timestamp clock (RFC 7323 section 5.4): milliseconds plus a secret offset for each pair of addresses, so
// that it runs on for a reused 4-tuple (PAWS) and tells nobody the uptime. The key never rotates.
#pragma once

#include "engine/segment.hpp"
#include "engine/siphash.hpp"

namespace vestibule {

ENGINE u64 join(be32 first, be32 second) {
    return static_cast<u64>(static_cast<u32>(second)) << 32 | static_cast<u32>(first);
}

template <class Hash>
ENGINE void add(Hash& h, const address& a) {
    sip::add(h, join(a.word[0], a.word[1]));
    sip::add(h, join(a.word[2], a.word[3]));
}

// Both addresses, as on the wire.
template <class Hash>
ENGINE void add_addresses(Hash& h, const segment& s) {
    if (s.v6) {
        add(h, s.source);
        add(h, s.destination);
    } else {
        sip::add(h, join(s.source.word[3], s.destination.word[3]));
    }
}

ENGINE u32 timestamp_clock(const secret_key& key, const segment& s, u64 now_ms) {
    auto h = sip::start<siphash_1_3>(key);
    add_addresses(h, s);
    return static_cast<u32>(sip::finish(h, 0, 0) + now_ms);
}

} // namespace vestibule
