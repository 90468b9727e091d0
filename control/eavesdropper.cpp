#include "control/eavesdropper.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include <spdlog/spdlog.h>

namespace vestibule {

namespace {

using clock = std::chrono::steady_clock;

constexpr auto tcx_egress = static_cast<bpf_attach_type>(47); // BPF_TCX_EGRESS, Linux 6.6
constexpr u32 first_of_all = 1U << 3;                         // BPF_F_BEFORE, before nothing in particular
constexpr auto patience = std::chrono::milliseconds(15);

int keep(void* to, void* data, size_t size) {
    if (size == sizeof(overheard))
        static_cast<std::vector<utterance>*>(to)->push_back(understand(*static_cast<overheard*>(data)));
    return 0;
}

} // namespace

eavesdropper::eavesdropper(const programs& loaded)
    : program_(loaded.program("overhear")), ring_(nullptr, ring_buffer__free) {
    ring_.reset(ring_buffer__new(loaded.map("answers_overheard"), keep, &heard_, nullptr));
    if (ring_ == nullptr)
        fail("cannot read the rehearsal's ring buffer: {}", std::strerror(errno));
}

bool eavesdropper::stand_at(u32 ifindex) {
    auto options = sized<bpf_link_create_opts>();
    options.flags = first_of_all;
    descriptor link(bpf_link_create(program_, static_cast<int>(ifindex), tcx_egress, &options));
    const bool deaf = !link && errno != ENODEV; // else it is gone meanwhile: nothing leaves there
    if (!deaf)
        complained_of_.erase(ifindex);
    else if (complained_of_.insert(ifindex).second)
        spdlog::warn("interface {}: cannot attach at TC egress ({}): its listeners are left to the stack", ifindex,
                     std::strerror(errno));
    links_.push_back(std::move(link));
    return !deaf;
}

void eavesdropper::attend(const std::vector<u32>& interfaces) {
    if (interfaces != interfaces_) {
        rest();
        interfaces_ = interfaces;
        deaf_ = interfaces;
    }
    if (deaf_.empty())
        return;
    std::erase_if(deaf_, [this](u32 ifindex) { return stand_at(ifindex); });
    listen(0); // nothing from before
}

void eavesdropper::rest() {
    links_.clear();
    interfaces_.clear();
    deaf_.clear();
}

std::vector<utterance> eavesdropper::listen(std::size_t expected) {
    ring_buffer__consume(ring_.get());
    const auto end = clock::now() + patience;
    while (heard_.size() < expected && clock::now() < end)
        ring_buffer__poll(ring_.get(), 1);
    return std::exchange(heard_, {});
}

} // namespace vestibule
