// Sending the answer back: the frame that brought the SYN takes the length of the SYN-ACK, and its words.
#pragma once

#include "bpf/frames.hpp"
#include "engine/synack.hpp"

namespace bpf {

using vestibule::fits;
using vestibule::frame;
using vestibule::segment;
using vestibule::synack;

constexpr u32 mss_option = 4;

// The one reply longer than its SYN names an MSS where the SYN named none. There is always room at the head; at the tail a
// veth may have none. The link header moves up.
BPF_INLINE bool grow(xdp_md* ctx) {
    constexpr u32 longest_link = sizeof(vestibule::wire::ethernet) + 2 * sizeof(vestibule::wire::vlan);
    if (adjust_head(ctx, -static_cast<int>(mss_option)) != 0)
        return false;
    const frame f = frame_of(ctx);
    if (!fits(f.begin, mss_option + longest_link, f.end))
        return false;
    u8 link[longest_link];
    __builtin_memcpy(link, f.begin + mss_option, sizeof(link));
    __builtin_memcpy(f.begin, link, sizeof(link));
    return true;
}

// Turns the frame into the reply. A SYN may carry data in fragments of a jumbo frame: they go too.
BPF_INLINE bool send_back(xdp_md* ctx, const segment& s, const synack& r) {
    const frame f = frame_of(ctx);
    const int change =
        static_cast<int>(reply_length(s, r)) - static_cast<int>(f.end - f.begin) - static_cast<int>(s.beyond);
    if (change == static_cast<int>(mss_option) ? !grow(ctx) : change != 0 && adjust_tail(ctx, change) != 0)
        return false;
    return write_synack(frame_of(ctx), s, r);
}

} // namespace bpf
