// Tracepoints tell of the whole machine: what of it is in the network namespace that this instance serves.
#pragma once

#include "bpf/kernel.hpp"
#include "bpf/maps.hpp"

namespace bpf {

BPF_INLINE bool is_ours(net* n) {
    const vestibule::settings* set = settings();
    return set != nullptr && KERNEL_FIELD(n, ns.inum) == set->network_inode;
}

BPF_INLINE bool of_this_namespace(sock* sk) {
    return is_ours(KERNEL_FIELD(sk, __sk_common.skc_net.net));
}
BPF_INLINE bool of_this_namespace(const net_device* device) {
    return is_ours(KERNEL_FIELD(device, nd_net.net));
}

} // namespace bpf
