// The census: an iterator over the sockets of the reader's network namespace, those in TIME-WAIT and half-open among them,
// that writes into the book of acquaintances with whom the host has a connection now.
#include "bpf/acquaintances.hpp"

// (what is iterated over, socket, user): at the end, no socket.
extern "C" SEC("iter/tcp") int count_socket(bpf::u64* ctx) {
    auto* sk = reinterpret_cast<sock_common*>(ctx[1]);
    if (sk != nullptr && KERNEL_FIELD(sk, skc_dport) != 0) // a listener has no peer
        bpf::acquaint(sk);
    return 0;
}

static const char dual_license[] SEC("license") = "Dual BSD/GPL";
