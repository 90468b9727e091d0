// Where the connections end: adaptors, each with its handoff, in front of one host. A frame meets them as the kernel
// has it meet them: first the adaptor, then the handoff, and the host's stack when both have seen the whole receive
// batch.
#pragma once

#include <functional>
#include <memory>

#include "test/sim/adaptor.hpp"
#include "test/sim/host.hpp"
#include "test/sim/ledger.hpp"
#include "test/sim/scenario.hpp"

namespace vestibule::test {

class site {
public:
    using way_out = std::function<void(packet)>;

    site(const scenario& s, u64 seed, ledger& book, way_out to_peers);

    void arrive(adaptor& a, const packet& p, u64 now_ms);
    void end_batch(u64 now_ms);

    [[nodiscard]] adaptor& at(u64 number) { return *adaptors_[number]; }
    [[nodiscard]] u64 adaptors() const { return adaptors_.size(); }

    host_stack stack;

private:
    bool answer(adaptor& a, const packet& p);
    void hand_over(adaptor& a, packet p);
    void note_birth(const adaptor& a, const packet& p, const bytes& reply);
    void count(const outcome& o) { ++book_.sum.reasons[static_cast<u32>(o.why)]; }

    ledger& book_;
    way_out to_peers_;
    std::vector<std::unique_ptr<adaptor>> adaptors_;
};

} // namespace vestibule::test
