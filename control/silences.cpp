#include "control/silences.hpp"

namespace vestibule {

bool silences::confirmed(const endpoint& where, u64 now_ms) {
    const auto at = doubts_.try_emplace(where, doubt{now_ms, 0}).first;
    if (++at->second.times < enough || now_ms - at->second.since_ms < long_enough_ms)
        return false;
    doubts_.erase(at);
    return true;
}

std::vector<endpoint> silences::all_doubted() const {
    std::vector<endpoint> out;
    out.reserve(doubts_.size());
    for (const auto& [where, d] : doubts_)
        out.push_back(where);
    return out;
}

} // namespace vestibule
