// What is known of every handshake from outside, and whether the engine did right by it. The invariants:
//
//   refused_in_time  a peer whose completing segment met a handoff in time was not admitted there, or was reset
//   unasked          a connection was admitted that no peer had asked for, or not in time, and nobody had guessed
//   disagreeing      a record says other than the SYN-ACK that the peer took, or than another record of the handshake
//   forged           a connection was admitted whose cookie a second implementation (test/support/oracle.hpp) denies
//
// All of these must be nothing. What a guess brings in is counted besides: it has a known chance.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <vector>

#include "abi/reason.hpp"
#include "engine/outcome.hpp"
#include "test/sim/packet.hpp"
#include "test/sim/rules.hpp"
#include "test/sim/tuple.hpp"
#include "test/support/native.hpp"

namespace vestibule::test {

enum class fate : u8 { under_way, served, unheard, refused, stuck };

// What a peer offers with its SYN.
struct peer_offer {
    bool scale;
    bool sack;
    bool stamps;
    bool ecn;
    u8 shift;
    u16 mss; // 0: none
};

struct tallies {
    u64 handshakes = 0;
    u64 served = 0;
    u64 by_the_stack = 0;
    u64 late = 0;
    u64 disturbed = 0;
    u64 apart = 0;
    u64 overtaken = 0;
    u64 gone = 0;
    u64 provoked = 0;
    u64 haunted = 0;
    u64 unheard = 0; // the network lost too much
    u64 stuck = 0;   // so too, but of what the peer said
    u64 refused_in_time = 0;
    u64 unasked = 0;
    u64 disagreeing = 0;
    u64 forged = 0;
    u64 bad_frames = 0; // ill-formed, or saying what they must not
    u64 again = 0;      // admitted a second time, after the connection was gone: somebody replayed
    u64 unbuilt = 0;    // records that the stack drops, mostly for a connection that it has just built
    u64 syns_resent = 0;
    u64 data_resent = 0;
    u64 too_old = 0; // segments that a peer dropped for their timestamp (PAWS)
    u64 guesses = 0;
    u64 guessed = 0;
    std::array<u64, reason_count> reasons{};
};

class ledger {
public:
    void open(u32 peer, const tuple& who, u32 isn, const peer_offer& offered);
    void born(u32 peer, const birth& b);
    void taken(u32 peer, u32 cookie) { files_[peer].taken = cookie; }
    void closed(u32 peer, fate f, cause why);
    void host_forgot() { ++host_lives_; }

    // A segment at a handoff: what the engine made of it, and where the handoff stood. Answers why the host would be to
    // reset it, if it does.
    cause judge(const packet& p, const segment& s, const completed& done, const handoff_moment& m);

    // The SYN-ACK that a peer acknowledges. Adaptors with the same keys give the same cookie, each at its time: the echo
    // tells them apart, as long as it is of the SYN-ACK and of nothing later.
    [[nodiscard]] const birth* birth_of(u32 peer, u32 cookie, u32 echo) const;

    // The last that had these ends.
    [[nodiscard]] u32 peer_at(const tuple& who) const {
        const auto it = by_tuple_.find(who);
        return it == by_tuple_.end() ? nobody : it->second;
    }
    [[nodiscard]] bool all_closed() const { return closed_ == sum.handshakes; }

    tallies sum;

private:
    struct file {
        tuple who{};
        u32 isn = 0;
        peer_offer offered{};
        u32 former = nobody; // peer that had the same ends before
        std::vector<birth> births{};
        std::optional<u32> taken{};
        std::optional<established> record{};
        u32 host_life = 0; // in which it was admitted
        cause turned_away = cause::none;
        bool haunted = false; // an old copy of a segment of that former peer's was admitted in its way
        bool closed = false;
        bool wronged = false;
    };

    void admitted(const packet& p, const segment& s, const established& e, const handoff_moment& m);
    [[nodiscard]] u32 asker(const segment& s) const;
    static bool sound(const file& f, const birth& b, const established& e, const handoff_moment& m);
    void enter(file& f, const birth& b, const established& e, const handoff_moment& m);
    void wrong(file& f);
    void count(file& f, cause why);
    [[nodiscard]] cause cause_of_reset(const packet& p, const file& f, const birth* b, const completed& done,
                                       const handoff_moment& m) const;

    std::vector<file> files_;
    std::unordered_map<tuple, u32, tuple_hash> by_tuple_;
    u32 host_lives_ = 0;
    u64 closed_ = 0;
};

} // namespace vestibule::test
