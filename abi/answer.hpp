// What the host's own stack was seen to answer for one endpoint. Written by the control process after a rehearsal, read by
// the adaptor (what to say in a SYN-ACK) and by the handoff (what was said). Shared through a BPF map: aggregates only.
#pragma once

#include "abi/address.hpp"

namespace vestibule {

// Where an answer applies: the interface that frames arrive on, the VLAN identifiers they carry (0: untagged), and the
// local end of the connection. Key of the answers map, so every byte is set.
struct endpoint {
    u32 ifindex;
    u16 outer_vlan;
    u16 inner_vlan;
    address local;
    be16 port;
    u16 zero;
};
static_assert(sizeof(endpoint) == 28);

// Options the host agrees to, when the peer offers them.
enum : u8 {
    allows_window_scale = 1U << 0,
    allows_sack = 1U << 1,
    allows_timestamps = 1U << 2,
    allows_ecn = 1U << 3,
};

// The part of an answer that depends on what the peer offers.
struct promise {
    u16 window;      // host order, as in the header of the SYN-ACK: never scaled (RFC 7323 section 2.2)
    u16 mss;         // host order
    u8 shift;        // the host's window scale, 0..14
    u8 allows;       // allows_*
    u8 former_shift; // promised before; until answer::former_until_ms is over a cookie may still carry it
    u8 zero;
};
static_assert(sizeof(promise) == 8);

enum class service : u8 { left, served };

// Why an endpoint is left to the stack; text in `status` comes from the same list (abi/left.def).
enum class left_reason : u8 {
#define LEFT(name, help) name,
#include "abi/left.def"
#undef LEFT
};

// How the completing segment may pass the host's packet filter.
enum class handoff_form : u8 { tracked, untracked };

struct answer {
    promise with_timestamps;
    promise without_timestamps;
    u8 link_address[6]; // frames for other stations are not ours to answer
    u8 way_back[6];     // the station that strangers' segments are sent to; zeros: each peer's way is looked up
    u8 hop_limit;       // TTL of the SYN-ACK
    u8 traffic_class;   // TOS of the SYN-ACK, ECN bits clear
    service state;
    left_reason why; // meaningful when left
    handoff_form form;
    u8 dont_fragment;
    u8 flow_label;             // non-zero: the host labels its IPv6 flows
    u8 classic_ecn_for_accecn; // non-zero: an AccECN offer gets the answer that RFC 3168 has (RFC 9768 section 3.1.2)
    u8 reflects_dscp;          // non-zero: the SYN-ACK carries the DSCP of its SYN
    u8 ecn_despite_ect;        // non-zero: ECN is agreed to though the SYN is marked ECN-capable
    u8 tracked;                // non-zero: connection tracking meets the segments of its connections
    u8 zero;
    u64 former_until_ms; // up to and including then (adaptor clock) the former promises hold, too
    u64 rehearsed_ms;    // adaptor clock
};
static_assert(sizeof(answer) == 56);

} // namespace vestibule
