// The peers with whom the host has a connection, or may have: in ESTABLISHED as in TIME-WAIT, half-open or just begun. The
// SYN of any other cannot belong to one, so that nobody need look through the host's table of connections for it: a
// flood's look-ups all miss the cache, and took a quarter of the time of an answer.
//
// One bit for each hash of a peer's address and port. A bit that is set without need costs a look-up; one that were missing
// would let the adaptor answer a SYN that is the stack's to answer. So whoever may begin a connection sets its bit before
// the SYNs of its peer can be met: the witness, when a socket enters a synchronized state; the adaptor, when it leaves a SYN
// to the stack. None is ever taken away, but the control process writes all anew from time to time: it clears the half that
// nobody reads, has the census fill it, and says which is whole. In between bits go to both halves.
#pragma once

#include "abi/acquaintances.hpp"
#include "bpf/sockets.hpp"
#include "engine/segment.hpp"

namespace bpf {

using vestibule::acquaintance_book;
using vestibule::address;
using vestibule::be16;
using vestibule::segment;

} // namespace bpf

extern "C" {
bpf::map<BPF_MAP_TYPE_ARRAY, vestibule::u32, vestibule::acquaintance_book, 1, BPF_F_MMAPABLE> acquaintances SHARED_MAP;
}

namespace bpf {

// Not secret: who finds peers that share a bit gains the look-up that all had before.
BPF_INLINE u64 mixed(const address& peer, be16 port) {
    u64 high = 0;
    u64 low = 0;
    __builtin_memcpy(&high, &peer.word[0], sizeof(high));
    __builtin_memcpy(&low, &peer.word[2], sizeof(low));
    u64 h = (low ^ static_cast<u64>(port) << 16) * 0x9e3779b97f4a7c15ULL + high * 0xc2b2ae3d27d4eb4fULL;
    h ^= h >> 29;
    return h * 0xbf58476d1ce4e5b9ULL;
}

BPF_INLINE u32 word_of(u64 h, u32 mask) {
    return static_cast<u32>(h >> 40) & mask & (vestibule::most_acquaintance_words - 1);
}
BPF_INLINE u64 bit_of(u64 h) {
    return 1ULL << (h >> 58);
}

// Certainly has no connection with the host.
BPF_INLINE bool surely_unacquainted(const segment& s) {
    const acquaintance_book* book = at(acquaintances, u32{0});
    if (book == nullptr || book->whole == 0)
        return false;
    const u64 h = mixed(s.source, s.source_port);
    const u32 i = (book->whole - 1) & 1;
    return (book->half[i][word_of(h, book->mask[i])] & bit_of(h)) == 0;
}

BPF_INLINE void acquaint(const address& peer, be16 port) {
    acquaintance_book* book = at(acquaintances, u32{0});
    if (book == nullptr)
        return;
    const u64 h = mixed(peer, port);
    for (u32 i = 0; i < 2; ++i)
        if (u64* word = &book->half[i][word_of(h, book->mask[i])]; (*word & bit_of(h)) == 0)
            __sync_fetch_and_or(word, bit_of(h));
}

// The peer's end of a socket, of whatever kind.
BPF_INLINE void acquaint(sock_common* sk) {
    acquaint(peer_of(sk), be16{KERNEL_FIELD(sk, skc_dport)});
}

} // namespace bpf
