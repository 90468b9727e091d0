// A congestion control like DCTCP in that it needs ECN (RFC 8257), and like Reno in all else: for tests on kernels that have
// no DCTCP. Registered with `bpftool struct_ops register`.
#include "bpf/kernel.hpp"

using vestibule::u32;
using vestibule::u64;

constexpr u32 congestion_needs_ecn = 2; // include/net/tcp.h

extern "C" {

u32 tcp_reno_ssthresh(sock* sk) __attribute__((section(".ksyms")));
void tcp_reno_cong_avoid(sock* sk, u32 ack, u32 acked) __attribute__((section(".ksyms")));
u32 tcp_reno_undo_cwnd(sock* sk) __attribute__((section(".ksyms")));

// Of the kernel's structure, what is filled in here: libbpf finds the members by their names. The programs stand in for
// functions, and take the arguments of these in an array.
struct tcp_congestion_ops {
    u32 (*ssthresh)(u64* arguments);
    void (*cong_avoid)(u64* arguments);
    u32 (*undo_cwnd)(u64* arguments);
    u32 flags;
    char name[16];
};

SEC("struct_ops/ssthresh") u32 slow_start_threshold(u64* arguments) {
    return tcp_reno_ssthresh(reinterpret_cast<sock*>(arguments[0]));
}

SEC("struct_ops/cong_avoid") void avoid_congestion(u64* arguments) {
    tcp_reno_cong_avoid(reinterpret_cast<sock*>(arguments[0]), static_cast<u32>(arguments[1]),
                        static_cast<u32>(arguments[2]));
}

SEC("struct_ops/undo_cwnd") u32 undo_window(u64* arguments) {
    return tcp_reno_undo_cwnd(reinterpret_cast<sock*>(arguments[0]));
}

SEC(".struct_ops")
tcp_congestion_ops needs_ecn = {slow_start_threshold, avoid_congestion, undo_window, congestion_needs_ecn, "needs_ecn"};
}

const char dual_license[] SEC("license") = "Dual BSD/GPL";
