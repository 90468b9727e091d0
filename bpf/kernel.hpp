// The few kernel structures that the programs look into. Fields are found by name in the running kernel's type
// information (CO-RE); what stands here only gives those names, so order and neighbours do not matter.
#pragma once

#include "bpf/bpf.hpp"

extern "C" {

struct sock_common {
    unsigned short skc_family;
    unsigned char skc_state;
    unsigned char skc_reuseport : 1;
    unsigned short skc_num;
    unsigned short skc_dport;
    struct {
        struct net* net;
    } skc_net;
    unsigned int skc_daddr;
    unsigned int skc_rcv_saddr;
    struct {
        unsigned char bytes[16];
    } skc_v6_daddr;
    struct {
        unsigned char bytes[16];
    } skc_v6_rcv_saddr;
};

struct ns_common {
    unsigned int inum;
};
struct bpf_prog_array;
struct net {
    ns_common ns;
    struct {
        bpf_prog_array* run_array[2]; // by enum netns_bpf_attach_type: flow dissector, socket look-up
    } bpf;
};

struct sock {
    sock_common __sk_common;
    unsigned int sk_ack_backlog;
    unsigned int sk_max_ack_backlog;
};

struct fastopen_queue {
    int max_qlen;
};
struct request_sock_queue {
    unsigned char rskq_defer_accept;
    fastopen_queue fastopenq;
};
struct inet_connection_sock {
    request_sock_queue icsk_accept_queue;
};

struct tcp_options_received {
    unsigned short user_mss;
};
struct tcp_md5sig_info;
struct tcp_ao_info;
struct tcp_sock {
    tcp_options_received rx_opt;
    bool is_mptcp;
    tcp_md5sig_info* md5sig_info;
    tcp_ao_info* ao_info;
    unsigned char save_syn : 2;
    unsigned int snd_una;
};

struct net_device {
    int ifindex;
    struct {
        struct net* net;
    } nd_net;
};
struct xdp_frame;

struct sk_buff {
    unsigned char* head;
    unsigned long _nfct;
    unsigned short network_header;
    unsigned short transport_header;
    unsigned short protocol;
};

struct bpf_tcp_req_attrs {
    unsigned int rcv_tsval;
    unsigned int rcv_tsecr;
    unsigned short mss;
    unsigned char rcv_wscale;
    unsigned char snd_wscale;
    unsigned char ecn_ok;
    unsigned char wscale_ok;
    unsigned char sack_ok;
    unsigned char tstamp_ok;
    unsigned char usec_ts_ok;
    unsigned char reserved[3];
};

int bpf_sk_assign_tcp_reqsk(__sk_buff* skb, sock* listener, bpf_tcp_req_attrs* attributes, int size)
    __attribute__((section(".ksyms")));

void* bpf_cast_to_kern_ctx(void* ctx) __attribute__((section(".ksyms")));

} // extern "C"

namespace bpf {

// Reads a field of a kernel structure through a pointer that the verifier knows.
#define KERNEL_FIELD(pointer, field) (*__builtin_preserve_access_index(&(pointer)->field))
#define KERNEL_HAS(pointer, field) __builtin_preserve_field_info((pointer)->field, 2 /* exists */)

// The same for a bit field that lies in one byte.
#define KERNEL_BITS(pointer, field)                                                                                    \
    (static_cast<u64>(*(reinterpret_cast<const u8*>(pointer) +                                                         \
                        __builtin_preserve_field_info((pointer)->field, 0 /* byte offset */)))                         \
         << __builtin_preserve_field_info((pointer)->field, 4 /* left shift */) >>                                     \
     __builtin_preserve_field_info((pointer)->field, 5 /* right shift */))

BPF_INLINE tcp_sock* to_tcp(bpf_sock* sk) {
    return reinterpret_cast<tcp_sock* (*)(void*)>(BPF_FUNC_skc_to_tcp_sock)(sk);
}

} // namespace bpf
