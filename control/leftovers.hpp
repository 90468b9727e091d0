// What an earlier run left at work at interfaces that this one does not serve. Nobody renews its keys and answers any
// more, so it goes as it would have gone with its own daemon: the adaptor first, the handoff when what is under way is
// through.
#pragma once

#include <filesystem>
#include <vector>

#include "abi/scalar.hpp"

namespace vestibule {

class leftovers {
public:
    // Detaches the adaptors.
    leftovers(std::filesystem::path pins, std::vector<u32> served);
    ~leftovers(); // and the handoffs
    leftovers(const leftovers&) = delete;
    leftovers& operator=(const leftovers&) = delete;

private:
    std::filesystem::path pins_;
    std::vector<u32> served_;
};

} // namespace vestibule
