// The kernel's BPF interface as C++ sees it: map shapes, helpers, the few kernel structures the programs look into.
// bpf_helpers.h and vmlinux.h are C; this is the part of them that is needed here.
#pragma once

#include <linux/bpf.h>

#include "abi/scalar.hpp"

#define SEC(name) __attribute__((section(name), used))
// A map that several programs name: when they are linked into one object, it is one map.
#define SHARED_MAP __attribute__((section(".maps"), used, weak))
#define BPF_INLINE [[gnu::always_inline]] inline

namespace bpf {

using vestibule::u16;
using vestibule::u32;
using vestibule::u64;
using vestibule::u8;

// A map as libbpf reads it from type information: array sizes carry the numbers.
template <u32 Type, class Key, class Value, u32 Entries, u32 Flags = 0>
struct map {
    int (*type)[Type];
    Key* key;
    Value* value;
    int (*max_entries)[Entries];
    int (*map_flags)[Flags];
};

template <u32 Bytes>
struct ring {
    int (*type)[BPF_MAP_TYPE_RINGBUF];
    int (*max_entries)[Bytes];
};

// Helpers, by their numbers in the kernel's interface (enum bpf_func_id).
BPF_INLINE void* lookup(void* m, const void* key) {
    return reinterpret_cast<void* (*)(void*, const void*)>(BPF_FUNC_map_lookup_elem)(m, key);
}
template <class Key, class Value, u32 Type, u32 Entries, u32 Flags>
BPF_INLINE Value* at(map<Type, Key, Value, Entries, Flags>& m, const Key& key) {
    return static_cast<Value*>(lookup(&m, &key));
}
template <class Key, class Value, u32 Type, u32 Entries, u32 Flags>
BPF_INLINE long put(map<Type, Key, Value, Entries, Flags>& m, const Key& key, const Value& value, u64 flags = BPF_ANY) {
    return reinterpret_cast<long (*)(void*, const void*, const void*, u64)>(BPF_FUNC_map_update_elem)(&m, &key, &value,
                                                                                                      flags);
}

// Copies from kernel memory that the verifier does not know; zeros where it cannot be read.
template <class Value>
BPF_INLINE void read_kernel(Value& to, const void* from) {
    reinterpret_cast<long (*)(void*, u32, const void*)>(BPF_FUNC_probe_read_kernel)(&to, sizeof(to), from);
}

BPF_INLINE u64 ktime_ns() {
    return reinterpret_cast<u64 (*)()>(BPF_FUNC_ktime_get_ns)();
}
// The kernel's own count of its timer's ticks (jiffies).
BPF_INLINE u64 ticks() {
    return reinterpret_cast<u64 (*)()>(BPF_FUNC_jiffies64)();
}

template <u32 Bytes>
BPF_INLINE long emit(ring<Bytes>& r, const void* data, u64 size) {
    return reinterpret_cast<long (*)(void*, const void*, u64, u64)>(BPF_FUNC_ringbuf_output)(
        &r, const_cast<void*>(data), size, 0);
}

BPF_INLINE long adjust_tail(xdp_md* ctx, int delta) {
    return reinterpret_cast<long (*)(xdp_md*, int)>(BPF_FUNC_xdp_adjust_tail)(ctx, delta);
}
BPF_INLINE long adjust_head(xdp_md* ctx, int delta) {
    return reinterpret_cast<long (*)(xdp_md*, int)>(BPF_FUNC_xdp_adjust_head)(ctx, delta);
}
// Length of the whole frame, its fragments included.
BPF_INLINE u64 frame_length(xdp_md* ctx) {
    return reinterpret_cast<u64 (*)(xdp_md*)>(BPF_FUNC_xdp_get_buff_len)(ctx);
}
BPF_INLINE long pull_data(__sk_buff* ctx, u32 length) {
    return reinterpret_cast<long (*)(__sk_buff*, u32)>(BPF_FUNC_skb_pull_data)(ctx, length);
}

BPF_INLINE long load_link_header(__sk_buff* ctx, void* to, u32 length) {
    return reinterpret_cast<long (*)(__sk_buff*, u32, void*, u32, u32)>(BPF_FUNC_skb_load_bytes_relative)(
        ctx, 0, to, length, BPF_HDR_START_MAC);
}
// At the beginning, for a link header.
BPF_INLINE long make_room(__sk_buff* ctx, u32 length) {
    return reinterpret_cast<long (*)(__sk_buff*, u32, u64)>(BPF_FUNC_skb_change_head)(ctx, length, 0);
}
BPF_INLINE long cut_tail(__sk_buff* ctx, u32 length) {
    return reinterpret_cast<long (*)(__sk_buff*, u32, u64)>(BPF_FUNC_skb_change_tail)(ctx, length, 0);
}
BPF_INLINE long load_bytes(__sk_buff* ctx, u32 at, void* to, u32 length) {
    return reinterpret_cast<long (*)(const void*, u32, void*, u32)>(BPF_FUNC_skb_load_bytes)(ctx, at, to, length);
}
BPF_INLINE long store_bytes(__sk_buff* ctx, u32 at, const void* from, u32 length, u64 flags = 0) {
    return reinterpret_cast<long (*)(__sk_buff*, u32, const void*, u32, u64)>(BPF_FUNC_skb_store_bytes)(ctx, at, from,
                                                                                                        length, flags);
}
// In an IPv4 header: the checksum at this place, for a field that changes.
BPF_INLINE long replace_in_checksum(__sk_buff* ctx, u32 at, u64 from, u64 to, u64 size) {
    return reinterpret_cast<long (*)(__sk_buff*, u32, u64, u64, u64)>(BPF_FUNC_l3_csum_replace)(ctx, at, from, to,
                                                                                                size);
}
BPF_INLINE u32 checksum_of(const void* data, u32 size, u32 before = 0) {
    return static_cast<u32>(reinterpret_cast<long (*)(const void*, u32, const void*, u32, u32)>(BPF_FUNC_csum_diff)(
        nullptr, 0, data, size, before));
}

// To the receiving side of an interface, by way of this CPU's backlog: the packet itself, once the program has returned
// what this returns, and a copy of it at once (the packet may lie elsewhere after that).
BPF_INLINE int receive_again(u32 ifindex) {
    return static_cast<int>(
        reinterpret_cast<long (*)(u32, u64)>(BPF_FUNC_redirect)(ifindex, static_cast<u64>(BPF_F_INGRESS)));
}
BPF_INLINE long receive_copy(__sk_buff* ctx, u32 ifindex) {
    return reinterpret_cast<long (*)(__sk_buff*, u32, u64)>(BPF_FUNC_clone_redirect)(ctx, ifindex,
                                                                                     static_cast<u64>(BPF_F_INGRESS));
}

template <class Context>
BPF_INLINE bpf_sock* lookup_tcp(Context* ctx, const bpf_sock_tuple& tuple, u32 size) {
    constexpr u64 this_namespace = ~0ULL; // BPF_F_CURRENT_NETNS
    return reinterpret_cast<bpf_sock* (*)(void*, const bpf_sock_tuple*, u32, u64, u64)>(BPF_FUNC_skc_lookup_tcp)(
        ctx, &tuple, size, this_namespace, 0);
}
BPF_INLINE long release(void* sk) {
    return reinterpret_cast<long (*)(void*)>(BPF_FUNC_sk_release)(sk);
}
BPF_INLINE long assign(__sk_buff* ctx, void* sk) {
    return reinterpret_cast<long (*)(void*, void*, u64)>(BPF_FUNC_sk_assign)(ctx, sk, 0);
}

} // namespace bpf
