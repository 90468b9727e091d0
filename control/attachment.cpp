#include "control/attachment.hpp"

#include <linux/if_link.h>

#include <cerrno>
#include <cstring>

#include "abi/event.hpp"
#include "control/predecessor.hpp"

namespace vestibule {

namespace {

constexpr auto tcx_ingress = static_cast<bpf_attach_type>(46); // BPF_TCX_INGRESS, Linux 6.6

std::string program_name(u32 id) {
    const descriptor fd(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info{};
    u32 size = sizeof(info);
    if (!fd || bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0)
        return "unknown";
    return info.name;
}

[[noreturn]] void fail_occupied(const std::string& interface, u32 ifindex) {
    auto query = sized<bpf_xdp_query_opts>();
    bpf_xdp_query(static_cast<int>(ifindex), 0, &query);
    const u32 id = query.prog_id != 0 ? query.prog_id : query.drv_prog_id != 0 ? query.drv_prog_id : query.skb_prog_id;
    fail("{0}: another XDP program is attached there: {1} (id {2}); detach it first (ip link set dev {0} xdp off)",
         interface, program_name(id), id);
}

descriptor program_under(const descriptor& link) {
    bpf_link_info info{};
    u32 size = sizeof(info);
    return descriptor(bpf_obj_get_info_by_fd(link.get(), &info, &size) == 0 ? bpf_prog_get_fd_by_id(info.prog_id) : -1);
}

// A link left pinned by an earlier run, if it belongs to that interface; it gets the new program.
descriptor take_over(const std::filesystem::path& pin, int program, u32 ifindex, descriptor& former) {
    descriptor link = pinned_link(pin, ifindex);
    former = program_under(link);
    if (!link || bpf_link_update(link.get(), program, nullptr) != 0) {
        std::filesystem::remove(pin);
        return {};
    }
    return link;
}

xdp_mode mode_at(u32 ifindex) {
    auto query = sized<bpf_xdp_query_opts>();
    bpf_xdp_query(static_cast<int>(ifindex), 0, &query);
    return query.attach_mode == XDP_ATTACHED_SKB ? xdp_mode::generic : xdp_mode::native;
}

descriptor attach_xdp(int program, u32 ifindex, xdp_mode mode) {
    auto options = sized<bpf_link_create_opts>();
    options.flags = mode == xdp_mode::native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
    return descriptor(bpf_link_create(program, static_cast<int>(ifindex), BPF_XDP, &options));
}

void pin(const descriptor& link, const std::filesystem::path& where) {
    if (bpf_obj_pin(link.get(), where.c_str()) != 0)
        fail("cannot pin a BPF link at {}: {}", where.string(), std::strerror(errno));
}

} // namespace

const char* name_of(xdp_mode mode) {
    return mode == xdp_mode::native ? "native" : "generic";
}

attachment::attachment(const programs& loaded, const link& where, xdp_wish wish, bool native_sends,
                       std::filesystem::path pins)
    : programs_(&loaded), name_(where.name), ifindex_(where.index), pins_(std::move(pins)) {
    try {
        attach_handoff(); // first: what the adaptor answers must find someone to complete it
        attach_adaptor(wish, native_sends);
    } catch (...) {
        leave();
        throw;
    }
}

attachment::~attachment() {
    leave(); // moved from, there is nothing to leave
}

// What this run has not got to is not touched.
void attachment::leave() {
    if (!put_back_adaptor() && adaptor_)
        drop_adaptor();
    if (!handoff_ || (former_handoff_ && bpf_link_update(handoff_.get(), former_handoff_.get(), nullptr) == 0))
        return;
    bpf_link_detach(handoff_.get());
    std::error_code ignored;
    std::filesystem::remove(pin_path("handoff"), ignored);
}

bool attachment::put_back_adaptor() {
    if (!former_adaptor_)
        return false;
    if (adaptor_ && mode_ == former_mode_)
        return bpf_link_update(adaptor_.get(), former_adaptor_.get(), nullptr) == 0;
    drop_adaptor();
    adaptor_ = attach_xdp(former_adaptor_.get(), ifindex_, former_mode_);
    return adaptor_ && bpf_obj_pin(adaptor_.get(), pin_path("adaptor").c_str()) == 0;
}

void attachment::settle() {
    former_adaptor_ = descriptor();
    former_handoff_ = descriptor();
}

// At once: closing and unpinning alone would leave it to the kernel when the program goes.
void attachment::drop_adaptor() {
    bpf_link_detach(adaptor_.get());
    adaptor_ = descriptor();
    std::error_code ignored;
    std::filesystem::remove(pin_path("adaptor"), ignored);
}

std::filesystem::path attachment::pin_path(const char* role) const {
    return pin_of(pins_, role, ifindex_);
}

bool attachment::try_adaptor(xdp_mode mode) {
    descriptor link = attach_xdp(programs_->program("adaptor"), ifindex_, mode);
    if (!link && (errno == EBUSY || errno == EEXIST))
        fail_occupied(name_, ifindex_);
    if (!link)
        return false;
    mode_ = mode;
    adaptor_ = std::move(link);
    return true;
}

// Whether the adaptor that an earlier run left here serves this wish.
bool attachment::keep_adaptor(xdp_wish wish, bool native_sends) {
    former_mode_ = mode_at(ifindex_);
    adaptor_ = take_over(pin_path("adaptor"), programs_->program("adaptor"), ifindex_, former_adaptor_);
    if (!adaptor_)
        return false;
    mode_ = former_mode_;
    const bool wanted =
        mode_ == xdp_mode::generic ? wish != xdp_wish::native : wish != xdp_wish::generic && native_sends;
    if (!wanted)
        drop_adaptor();
    return wanted;
}

void attachment::attach_adaptor(xdp_wish wish, bool native_sends) {
    if (!native_sends && wish == xdp_wish::native)
        fail("{}: the other end of this veth has no XDP program, so replies sent in native mode would be lost: use "
             "--xdp "
             "auto or generic",
             name_);
    if (keep_adaptor(wish, native_sends))
        return;
    const bool native = wish != xdp_wish::generic && native_sends && try_adaptor(xdp_mode::native);
    if (!native && wish == xdp_wish::native)
        fail("{}: its driver takes no XDP program in native mode ({}): use --xdp generic, or auto", name_,
             std::strerror(errno));
    if (!native && !try_adaptor(xdp_mode::generic))
        fail("{}: takes no XDP program: {}", name_, std::strerror(errno));
    pin(adaptor_, pin_path("adaptor"));
}

void attachment::attach_handoff() {
    const auto at = pin_path("handoff");
    const int program = programs_->program("handoff");
    handoff_ = take_over(at, program, ifindex_, former_handoff_);
    if (handoff_)
        return;
    handoff_ = descriptor(bpf_link_create(program, static_cast<int>(ifindex_), tcx_ingress, nullptr));
    if (!handoff_)
        fail("{}: cannot attach at TC ingress: {}", name_, std::strerror(errno));
    pin(handoff_, at);
}

void attachment::step_back() {
    if (mode_ == xdp_mode::generic)
        return;
    drop_adaptor();
    if (!try_adaptor(xdp_mode::generic))
        fail("{}: its driver loses what XDP sends, and it takes no generic program: {}", name_, std::strerror(errno));
    pin(adaptor_, pin_path("adaptor"));
}

} // namespace vestibule
