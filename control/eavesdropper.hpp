// The egress hook: it hears what the host's stack says to our rehearsals, and keeps it from leaving the machine.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "control/overheard.hpp"
#include "control/programs.hpp"

namespace vestibule {

class eavesdropper {
public:
    explicit eavesdropper(const programs& loaded);

    // Stands at all these ways out, ahead of other programs there, which might send on what we must keep back. Where it could
    // not before, it tries once more.
    void attend(const std::vector<u32>& interfaces);
    void rest();

    // Where it should stand and cannot: nothing may be asked whose answer would leave there.
    [[nodiscard]] const std::vector<u32>& deaf() const { return deaf_; }

    // What was said. Where less than `expected` was, it waits a little: receiving may be spread over CPUs.
    std::vector<utterance> listen(std::size_t expected);

private:
    [[nodiscard]] bool stand_at(u32 ifindex);

    int program_;
    std::vector<u32> interfaces_;
    std::vector<u32> deaf_;
    std::set<u32> complained_of_;
    std::vector<descriptor> links_;
    std::unique_ptr<ring_buffer, void (*)(ring_buffer*)> ring_;
    std::vector<utterance> heard_;
};

} // namespace vestibule
