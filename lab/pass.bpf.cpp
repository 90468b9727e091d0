// The program that does nothing. On the far end of a veth pair it switches on the driver mode in which frames sent with
// XDP_TX arrive; on a server's interface it is what XDP costs by itself.
#include "bpf/bpf.hpp"

extern "C" {
SEC("xdp.frags") int pass_all(xdp_md* ctx [[maybe_unused]]) {
    return XDP_PASS;
}
const char dual_license[] SEC("license") = "Dual BSD/GPL";
}
