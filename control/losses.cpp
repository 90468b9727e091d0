#include "control/losses.hpp"

#include "abi/loss.hpp"
#include "metrics/counters.hpp"

namespace vestibule {

losses::reading losses::read(u32 ifindex) const {
    loss lost{};
    bpf_map_lookup_elem(programs_.map("losses"), &ifindex, &lost); // none so far: no entry
    return {read_replies(programs_.map("replies"), ifindex), lost.replies};
}

bool losses::nearly_all(u32 ifindex) {
    constexpr u64 enough_to_tell = 8;
    const reading now = read(ifindex);
    reading& last = last_[ifindex];
    const u64 given = now.given - last.given;
    const u64 lost = now.lost - last.lost;
    last = now;
    return given >= enough_to_tell && lost * 10 >= given * 9;
}

} // namespace vestibule
