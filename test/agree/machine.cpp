#include "test/agree/machine.hpp"

#include <linux/bpf.h>

#include <algorithm>

#include "datapath.skel.h"
#include "record.skel.h"

#include "control/clock.hpp"
#include "test/agree/doors.hpp"

namespace vestibule::test {

namespace {

// What the kernel says of frames it does not run programs on. Anything else is a failure of the test.
bool refused(int error) {
    if (error != 0 && errno != EINVAL)
        fail("BPF_PROG_TEST_RUN: {}", std::strerror(errno));
    return error != 0;
}

void clear(int map) {
    bytes key(sizeof(endpoint));
    while (bpf_map_get_next_key(map, nullptr, key.data()) == 0)
        bpf_map_delete_elem(map, key.data());
}

// The only entry, on each processor.
void fill_with_zeros(int map) {
    bpf_map_info info{};
    u32 size = sizeof(info);
    if (bpf_obj_get_info_by_fd(map, &info, &size) != 0)
        fail("cannot read the size of a map: {}", std::strerror(errno));
    const u32 only = 0;
    const bytes zeros(static_cast<std::size_t>(libbpf_num_possible_cpus()) * info.value_size);
    if (bpf_map_update_elem(map, &only, zeros.data(), BPF_ANY) != 0)
        fail("cannot write to a BPF map: {}", std::strerror(errno));
}

// Each peer's own way, and a shorter prefix around it that leads elsewhere.
void fill_ways(int map, const std::vector<std::pair<address, way>>& ways) {
    constexpr u32 whole_address = 128;
    for (const auto& [peer, w] : ways) {
        put(map, way_key{way_key_lead + whole_address, loopback_index, 0, 0, peer}, w);
        put(map, way_key{way_key_lead + whole_address - 4, loopback_index, 0, 0, peer},
            way{{}, way_kind::elsewhere, 0});
    }
}

xdp_md arriving(const bytes& frame) {
    xdp_md context{};
    context.data_end = static_cast<u32>(frame.size());
    context.ingress_ifindex = loopback_index;
    return context;
}

std::vector<reason> grown(const tally& before, const tally& after) {
    std::vector<reason> counted;
    for (u32 i = 0; i < reason_count; ++i)
        counted.insert(counted.end(), after.of[i] - before.of[i], static_cast<reason>(i));
    return counted;
}

} // namespace

machine::machine(const imagined_host& host)
    : host_(host), datapath_(datapath_bpf::elf_bytes, "datapath"), record_(record_bpf::elf_bytes, "record") {
    datapath_.load();
    record_.load();
    fill_maps();
}

void machine::fill_maps() {
    put(datapath_.map("keys"), u32{0}, keys());
    answer_no_more(false);
    for (const auto& [where, a] : host_.answers)
        put(datapath_.map("answers"), where, a);
    fill_ways(datapath_.map("ways"), host_.ways);
}

void machine::answer_no_more(bool stopping) {
    settings s{};
    s.answering = stopping ? 0 : 1;
    s.rehearsal_token = token;
    s.untracked_mark = untracked_mark;
    put(datapath_.map("config"), u32{0}, s);
}

tally machine::counts() const {
    std::vector<tally> each(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    const u32 zero = 0;
    if (bpf_map_lookup_elem(datapath_.map("counters"), &zero, each.data()) != 0)
        fail("cannot read the counters");
    tally sum{};
    for (const tally& t : each)
        for (u32 i = 0; i < reason_count; ++i)
            sum.of[i] += t.of[i];
    return sum;
}

std::optional<run_result> machine::run(int program, const bytes& frame, bpf_test_run_opts& options) {
    const tally before = counts();
    run_result r{};
    r.frame.resize(frame.size() + 4096);
    options.data_in = frame.data();
    options.data_size_in = static_cast<u32>(frame.size());
    options.data_out = r.frame.data();
    options.data_size_out = static_cast<u32>(r.frame.size());
    r.before_ms = adaptor_clock_ms();
    if (refused(bpf_prog_test_run_opts(program, &options)))
        return std::nullopt;
    r.after_ms = adaptor_clock_ms();
    r.action = static_cast<int>(options.retval);
    r.frame.resize(options.data_size_out);
    r.counted = grown(before, counts());
    return r;
}

// Frames that follow each other closely share a reading of the clock; here each must show its own.
std::optional<run_result> machine::adaptor(const bytes& frame) {
    fill_with_zeros(datapath_.map("moments"));
    xdp_md context = arriving(frame);
    auto options = sized<bpf_test_run_opts>();
    options.ctx_in = &context;
    options.ctx_size_in = sizeof(context);
    return run(datapath_.program("adaptor"), frame, options);
}

// Each refused handoff feeds the dead man's switch, which would end service at this door; that is not the subject here.
std::optional<run_result> machine::handoff(const bytes& frame) {
    clear(datapath_.map("health"));
    __sk_buff after{}; // before: all zeros, and received on the loopback interface
    auto options = sized<bpf_test_run_opts>();
    options.ctx_out = &after;
    options.ctx_size_out = sizeof(after);
    auto r = run(datapath_.program("handoff"), frame, options);
    if (r)
        r->mark = after.mark;
    return r;
}

std::optional<finding> machine::record(const bytes& frame, const question& q) {
    put(record_.map("questions"), u32{0}, q);
    put(record_.map("findings"), u32{0}, finding{});
    xdp_md context = arriving(frame);
    auto options = sized<bpf_test_run_opts>();
    options.ctx_in = &context;
    options.ctx_size_in = sizeof(context);
    options.data_in = frame.data();
    options.data_size_in = static_cast<u32>(frame.size());
    if (refused(bpf_prog_test_run_opts(record_.program("record"), &options)))
        return std::nullopt;
    finding found{};
    const u32 zero = 0;
    if (bpf_map_lookup_elem(record_.map("findings"), &zero, &found) != 0)
        fail("cannot read what was found");
    return found;
}

} // namespace vestibule::test
