// The other end of a veth pair, and whether it takes what XDP sends back.
#pragma once

#include "control/links.hpp"

namespace vestibule {

// A reply sent with XDP_TX over veth arrives only where the other end has an XDP program of its own (kernel:
// veth_xdp_flush); without one it is lost, in part without a count. True for an interface that is no veth. False also when
// the other end is in a network namespace that cannot be looked into.
bool replies_arrive(netlink& route, const link& where);

} // namespace vestibule
