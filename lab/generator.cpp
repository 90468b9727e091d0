#include "lab/generator.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

#include "flood.skel.h"

namespace vestibule::lab {

namespace {

[[noreturn]] void refuse(const char* what, int error) {
    const char* advice = error == EPERM ? " (root, or CAP_BPF and CAP_NET_ADMIN, is needed)" : "";
    throw std::runtime_error(std::string(what) + ": " + std::strerror(error) + advice);
}

bpf_program* choose(const flood_bpf& from, bool v4, bool timestamps) {
    const auto& p = from.progs;
    return v4 ? (timestamps ? p.syn_v4 : p.syn_v4_no_timestamps) : (timestamps ? p.syn_v6 : p.syn_v6_no_timestamps);
}

} // namespace

void generator::unload::operator()(flood_bpf* loaded) const {
    flood_bpf::destroy(loaded);
}

generator::generator(bool v4, bool timestamps) : programs_(flood_bpf::open_and_load()) {
    if (!programs_)
        refuse("cannot load the flood program", errno);
    program_ = bpf_program__fd(choose(*programs_, v4, timestamps));
}

generator::~generator() = default;

void generator::follow(const drafted& frames) {
    const u32 only = 0;
    if (bpf_map_update_elem(bpf_map__fd(programs_->maps.plans), &only, &frames.plan, BPF_ANY) != 0)
        refuse("cannot hand the plan to the flood program", errno);
    frame_bytes_ = frames.frame_bytes;
}

void generator::send(u32 frames, u32 batch) const {
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.data_in = input_.data();
    options.data_size_in = frame_bytes_;
    options.repeat = static_cast<int>(frames);
    options.batch_size = batch;
    options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    if (bpf_prog_test_run_opts(program_, &options) != 0 && errno != EINTR)
        refuse("the kernel sends no frames for the flood program (it needs Linux 5.18)", errno);
}

u64 generator::sent() const {
    progress so_far{};
    const u32 only = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(programs_->maps.done), &only, &so_far) != 0)
        refuse("cannot read the count of frames", errno);
    return so_far.frames;
}

} // namespace vestibule::lab
