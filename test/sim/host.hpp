// The host's stack, as far as handshakes concern it: connections by 4-tuple, records taken over, resets for what it
// does not know (RFC 9293 section 3.10.7), and its own handshake for a SYN that nobody else answered. The application
// takes requests and answers each with an acknowledgment; where the peer closes, one connection in two lingers.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>

#include "abi/established.hpp"
#include "engine/host.hpp"
#include "test/sim/packet.hpp"
#include "test/sim/tuple.hpp"
#include "test/support/native.hpp"
#include "test/support/randomness.hpp"

namespace vestibule::test {

constexpr u16 plain_port = 80;
constexpr u16 deferring_port = 81; // its listener waits for data

class host_stack {
public:
    // What the host has to say to the peer of the packet it is receiving.
    using voice = std::function<void(bytes frame, bool reset)>;

    host_stack(u64 seed, bool slow) : chance_(seed), slow_(slow) {}

    void receive(const packet& p, const std::optional<established>& record, u64 now_ms, const voice& say);
    void accept_one() { waiting_ -= waiting_ != 0; }
    void forget_everything() { connections_.clear(), waiting_ = 0; }

    [[nodiscard]] bool queue_full() const { return slow_ && waiting_ > backlog; }
    [[nodiscard]] listener listener_for(const segment& s) const;

    u64 unbuilt = 0;   // records for a connection that stood already, or for which the queue had no room
    u64 by_itself = 0; // handshakes conducted by the stack

private:
    enum class state : u8 { half_open, established, lingering };
    struct connection {
        state where;
        u32 next_in;
        u32 next_out;
        bool stamped;
        u32 clock_minus_now;
        u32 peer_timestamp;
    };

    void take_over(const established& e, u64 now_ms);
    void begin(const read_frame& r, const voice& say);
    void proceed(connection& c, const read_frame& r, u64 now_ms, const voice& say);
    void consume(connection& c, const read_frame& r, u64 now_ms, const voice& say);
    void acknowledge(const connection& c, const segment& s, u64 now_ms, const voice& say) const;

    static constexpr u32 backlog = 8;

    randomness chance_;
    bool slow_;
    u32 waiting_ = 0; // for accept()
    std::unordered_map<tuple, connection, tuple_hash> connections_;
};

} // namespace vestibule::test
