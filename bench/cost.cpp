// vestibule-cost: what one frame costs an XDP program that is loaded already, in nanoseconds, by BPF_PROG_TEST_RUN in
// the network namespace of the caller. Beside it, what the mere writing of the frame costs, and the swap of its link
// addresses.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>

#include "bench/specimen.hpp"
#include "cost.skel.h"

namespace {

using namespace vestibule;
using bench::specimen;

struct request {
    std::string interface;
    std::string frame;
    u32 program = 0;
    u32 rounds = 40;
    u32 frames = 50000;
};

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what);
}

u8 digit(char c) {
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0)
        fail("--frame is not hexadecimal");
    return static_cast<u8>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

specimen parse_frame(const std::string& hex) {
    specimen result{};
    result.length = static_cast<u32>(hex.size() / 2);
    if (hex.size() % 2 != 0 || result.length < 54 || result.length > sizeof(result.bytes))
        fail("--frame is too short or too long");
    for (u32 i = 0; i < result.length; ++i)
        result.bytes[i] = static_cast<u8>(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    result.v6 = result.bytes[12] == 0x86 ? 1 : 0;
    if (result.v6 != 0 && result.length < 74)
        fail("--frame is too short");
    return result;
}

using object = std::unique_ptr<cost_bpf, void (*)(cost_bpf*)>;

object load(const specimen& s, u32 program) {
    object result(cost_bpf::open_and_load(), cost_bpf::destroy);
    if (!result)
        fail(std::string("cannot load the programs: ") + std::strerror(errno));
    const u32 only = 0;
    const int fd = bpf_prog_get_fd_by_id(program);
    if (fd < 0 || bpf_map_update_elem(bpf_map__fd(result->maps.measured), &only, &fd, BPF_ANY) != 0)
        fail("cannot take program " + std::to_string(program) + ": " + std::strerror(errno));
    close(fd);
    bpf_map_update_elem(bpf_map__fd(result->maps.specimens), &only, &s, BPF_ANY);
    return result;
}

class stopwatch {
public:
    stopwatch(const specimen& frame, const request& r)
        : frame_(frame), frames_(r.frames), ifindex_(if_nametoindex(r.interface.c_str())) {
        if (ifindex_ == 0)
            fail("no interface " + r.interface + " in this network namespace");
    }

    struct reading {
        u32 nanoseconds;
        u32 action;
    };

    [[nodiscard]] reading read(const bpf_program* program) const {
        xdp_md context{};
        context.data_end = frame_.length;
        context.ingress_ifindex = ifindex_;
        bpf_test_run_opts options{};
        options.sz = sizeof(options);
        options.data_in = frame_.bytes;
        options.data_size_in = frame_.length;
        options.ctx_in = &context;
        options.ctx_size_in = sizeof(context);
        options.repeat = static_cast<int>(frames_);
        if (bpf_prog_test_run_opts(bpf_program__fd(program), &options) != 0)
            fail(std::string("the kernel does not run the program: ") + std::strerror(errno));
        return {options.duration, options.retval};
    }

private:
    const specimen& frame_;
    u32 frames_;
    u32 ifindex_;
};

struct best {
    u32 nanoseconds = ~0U;
    u32 action = 0;

    void take(stopwatch::reading r) {
        nanoseconds = std::min(nanoseconds, r.nanoseconds);
        action = r.action;
    }
};

// In turn, so that all meet the same machine; the least of many short rounds is the one that nothing disturbed. A round
// also takes the kernel some 20 ms of preparation, so the yardsticks, which hardly vary, get fewer.
void measure(const request& r) {
    const specimen frame = parse_frame(r.frame);
    const object programs = load(frame, r.program);
    const stopwatch watch(frame, r);
    best rewrite;
    best swap;
    best measured;
    for (u32 i = 0; i < r.rounds; ++i) {
        if (i % 4 == 0) {
            rewrite.take(watch.read(programs->progs.rewrite));
            swap.take(watch.read(programs->progs.swap));
        }
        measured.take(watch.read(programs->progs.run_measured));
    }
    std::cout << "{\"rewrite\": " << rewrite.nanoseconds << ", \"swap\": " << swap.nanoseconds
              << ", \"measured\": " << measured.nanoseconds << ", \"action\": " << measured.action << "}\n";
}

} // namespace

int main(int argc, char** argv) {
    request r;
    CLI::App app{"Nanoseconds that an XDP program takes for one frame.", "vestibule-cost"};
    app.add_option("--interface", r.interface, "where the frame seems to arrive")->required();
    app.add_option("--program", r.program, "id of the program, as bpftool shows it")->required();
    app.add_option("--frame", r.frame, "the frame, hexadecimal; source port and sequence number will differ")
        ->required();
    app.add_option("--rounds", r.rounds, "of how many rounds to take the least")->check(CLI::Range(1, 100000));
    app.add_option("--frames", r.frames, "frames in each round")->check(CLI::Range(1, 1000000));
    libbpf_set_print(nullptr);
    try {
        app.parse(argc, argv);
        measure(r);
        return 0;
    } catch (const CLI::CallForHelp& help) {
        return app.exit(help);
    } catch (const std::exception& error) {
        std::cerr << "vestibule-cost: " << error.what() << '\n';
        return 1;
    }
}
