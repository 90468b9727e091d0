#include "control/bpf_object.hpp"

#include <cerrno>
#include <cstring>

namespace vestibule {

bpf_object_file::bpf_object_file(const void* (*bytes)(std::size_t* size), const char* name) : name_(name) {
    auto options = sized<bpf_object_open_opts>();
    options.object_name = name;
    std::size_t size = 0;
    const void* first = bytes(&size);
    object_.reset(bpf_object__open_mem(first, size, &options));
    if (object_ == nullptr)
        fail("cannot read the BPF object {}: {}", name_, std::strerror(errno));
}

void bpf_object_file::load() {
    if (const int error = bpf_object__load(object_.get()); error != 0)
        fail("the kernel refused the BPF object {}: {} (run with --verbose for its reasons)", name_,
             std::strerror(-error));
    if (bpf_object__btf_fd(object_.get()) < 0) // libbpf goes on without, and spin locks and checks then differ, quietly
        fail("the kernel refused the type information of the BPF object {}", name_);
}

int bpf_object_file::program(const char* name) const {
    const bpf_program* p = bpf_object__find_program_by_name(object_.get(), name);
    if (p == nullptr)
        fail("no BPF program {} in {}", name, name_);
    return bpf_program__fd(p);
}

int bpf_object_file::map(const char* name) const {
    const bpf_map* m = bpf_object__find_map_by_name(object_.get(), name);
    if (m == nullptr)
        fail("no BPF map {} in {}", name, name_);
    return bpf_map__fd(m);
}

u32 program_held_by(const descriptor& link, u32 ifindex) {
    bpf_link_info info{};
    u32 size = sizeof(info);
    if (!link || bpf_obj_get_info_by_fd(link.get(), &info, &size) != 0)
        return 0;
    return info.xdp.ifindex == ifindex ? info.prog_id : 0; // a TCX link has its interface in the same place
}

int inject_frames(int program, u32 ifindex, const void* bytes, std::size_t size, std::size_t count) {
    xdp_md context{};
    context.data_end = static_cast<u32>(size);
    context.ingress_ifindex = ifindex;
    auto options = sized<bpf_test_run_opts>();
    options.data_in = bytes;
    options.data_size_in = static_cast<u32>(size);
    options.ctx_in = &context;
    options.ctx_size_in = sizeof(context);
    options.repeat = static_cast<int>(count);
    options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    options.batch_size = 1;
    return bpf_prog_test_run_opts(program, &options) != 0 ? -1 : 0;
}

} // namespace vestibule
