// A peer (RFC 9293): it opens a connection, repeats its SYN after 1, 2, 4 ... s, looks hard at the SYN-ACK,
// acknowledges it, sends a request of one to three segments and repeats what is not acknowledged. Served is who had
// the whole request acknowledged; it closes then.
#pragma once

#include <functional>

#include "test/sim/ledger.hpp"
#include "test/sim/packet.hpp"
#include "test/sim/schedule.hpp"
#include "test/support/draft.hpp"
#include "test/support/randomness.hpp"
#include "test/support/reply.hpp"

namespace vestibule::test {

// What all peers share.
struct street {
    schedule& time;
    randomness& chance;
    ledger& book;
    std::function<void(packet)> send;
};

class peer {
public:
    // `port` stands for address and port: no two peers that are there at once have the same.
    peer(u32 number, u32 port, street& around);

    void begin();
    void receive(const packet& p);
    [[nodiscard]] const tuple& ends() const { return ends_; }
    [[nodiscard]] bool closed() const { return state_ == state::closed; }

private:
    enum class state : u8 { syn_sent, established, closed };

    [[nodiscard]] draft segment_at(u32 sequence, u8 flags) const;
    [[nodiscard]] bytes syn_options() const;
    [[nodiscard]] u32 clock() const { return clock_offset_ + static_cast<u32>(around_.time.now_ms()); }
    void send(const draft& d);
    void send_syn();
    void acknowledge();
    void request();
    void send_segment(u32 sequence);
    void wait(u64 ms);
    void waited_in_vain();
    void close(fate f, cause why);

    [[nodiscard]] bool well_formed(const reply& r) const;
    [[nodiscard]] bool rightful(const reply& r, const offer& said) const;
    void take(const reply& r);
    void reject(const reply& r);
    void take_reset(const reply& r, cause why);
    void take_acknowledgment(const reply& r);

    static constexpr u32 segment_bytes = 100;
    static constexpr u32 most_syns = 6;
    static constexpr u32 most_repeats = 7;

    u32 number_;
    street& around_;
    state state_ = state::syn_sent;
    tuple ends_{};
    bool v6_;
    peer_offer offer_{};
    u32 isn_;
    u32 clock_offset_;
    u32 unacknowledged_;
    u32 end_;      // behind the request
    u32 sent_ = 0; // the request is under way
    u32 next_in_ = 0;
    bool stamped_ = false;
    u32 recent_ = 0; // TS.Recent of RFC 7323
    u32 tries_ = 0;
    u32 waiting_ = 0; // which of the timers set is the last
};

} // namespace vestibule::test
