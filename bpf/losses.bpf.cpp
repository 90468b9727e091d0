// Drivers that cannot send what XDP gives them say so in tracepoints only. A full queue loses a frame now and then; an error
// for a whole batch means that nothing will ever get through.
#include "abi/loss.hpp"
#include "bpf/kernel.hpp"
#include "bpf/maps.hpp"
#include "bpf/namespace.hpp"

using namespace vestibule;

extern "C" {
bpf::map<BPF_MAP_TYPE_LRU_HASH, u32, vestibule::loss, 1024> losses SEC(".maps");
}

namespace {

constexpr u64 tell_again_ns = 100'000'000;

BPF_INLINE loss* loss_of(u32 ifindex) {
    if (loss* known = bpf::at(losses, ifindex); known != nullptr)
        return known;
    bpf::put(losses, ifindex, loss{}, BPF_NOEXIST);
    return bpf::at(losses, ifindex);
}

BPF_INLINE void tell(u32 ifindex, loss& l) {
    const u64 now = bpf::ktime_ns();
    if (now - l.told_ns < tell_again_ns)
        return;
    l.told_ns = now;
    event e{event_kind::replies_lost, {}, 0, {ifindex, 0, 0, {}, {}, 0}, {}};
    bpf::emit(events, &e, sizeof(e));
}

BPF_INLINE void lost(const net_device* device, u32 replies, bool for_good) {
    if (!bpf::of_this_namespace(device))
        return;
    bpf::count(reason::reply_lost, replies);
    const auto ifindex = static_cast<u32>(KERNEL_FIELD(device, ifindex));
    loss* l = loss_of(ifindex);
    if (l == nullptr)
        return;
    __sync_fetch_and_add(&l->replies, replies);
    if (for_good)
        tell(ifindex, *l);
}

} // namespace

// (device, sent, drops, error): what a driver made of a batch of replies.
extern "C" SEC("tp_btf/xdp_bulk_tx") int bulk_sent(u64* ctx) {
    const auto* device = reinterpret_cast<const net_device*>(ctx[0]);
    const int sent = static_cast<int>(ctx[1]);
    const int dropped = static_cast<int>(ctx[2]);
    const int error = static_cast<int>(ctx[3]);
    if (dropped > 0)
        lost(device, static_cast<u32>(dropped), error < 0 && sent <= 0);
    return 0;
}

// (device, program, action): other drivers report each reply that they could not send.
extern "C" SEC("tp_btf/xdp_exception") int driver_failed(u64* ctx) {
    const auto* device = reinterpret_cast<const net_device*>(ctx[0]);
    if (static_cast<u32>(ctx[2]) == XDP_TX)
        lost(device, 1, false);
    return 0;
}

static const char dual_license[] SEC("license") = "Dual BSD/GPL";
