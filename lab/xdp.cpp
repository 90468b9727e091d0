// vestibule-lab-xdp: keeps one of the lab's small programs on an interface until it is told to stop or is killed.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstring>
#include <iostream>
#include <memory>
#include <numeric>

#include "bare_tx.skel.h"
#include "lab/interface.hpp"
#include "pass.skel.h"
#include "sink.skel.h"

namespace {

using namespace vestibule;
using namespace vestibule::lab;

template <class Skeleton>
struct unload {
    void operator()(Skeleton* loaded) const { Skeleton::destroy(loaded); }
};
template <class Skeleton>
using loaded = std::unique_ptr<Skeleton, unload<Skeleton>>;

using link = std::unique_ptr<bpf_link, int (*)(bpf_link*)>;

template <class Skeleton>
loaded<Skeleton> load() {
    loaded<Skeleton> result(Skeleton::open_and_load());
    if (!result)
        throw std::runtime_error(std::string("cannot load the program: ") + std::strerror(errno));
    return result;
}

// A link goes with the process that holds it.
link attach(bpf_program* program, const std::string& name) {
    link result(bpf_program__attach_xdp(program, static_cast<int>(find_interface(name).index)), bpf_link__destroy);
    if (!result)
        throw std::runtime_error("cannot attach to " + name + ": " + std::strerror(errno));
    return result;
}

void wait_until_told_to_stop() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    std::cout << "ready\n" << std::flush;
    int signal = 0;
    sigwait(&set, &signal);
}

u64 total(const bpf_map* per_cpu) {
    std::vector<u64> counts(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    const u32 only = 0;
    bpf_map_lookup_elem(bpf_map__fd(per_cpu), &only, counts.data());
    return std::accumulate(counts.begin(), counts.end(), u64{0});
}

void pass(const std::string& interface) {
    const auto programs = load<pass_bpf>();
    const link attached = attach(programs->progs.pass_all, interface);
    wait_until_told_to_stop();
}

void tx(const std::string& interface) {
    const auto programs = load<bare_tx_bpf>();
    const link attached = attach(programs->progs.bare_tx, interface);
    wait_until_told_to_stop();
    std::cout << "{\"returned\": " << total(programs->maps.returned) << "}\n" << std::flush;
}

void sink(const std::string& interface) {
    const auto programs = load<sink_bpf>();
    const link attached = attach(programs->progs.sink, interface);
    wait_until_told_to_stop();
    std::cout << "{\"sunk\": " << total(programs->maps.sunk) << "}\n" << std::flush;
}

} // namespace

int main(int argc, char** argv) {
    std::string interface;
    CLI::App app{"Keeps a small XDP program on an interface until it is told to stop.", "vestibule-lab-xdp"};
    app.require_subcommand(1);
    app.add_option("--interface", interface, "where to attach")->required();
    app.fallthrough();
    app.add_subcommand("pass", "pass every frame")->callback([&] { pass(interface); });
    app.add_subcommand("tx", "send TCP SYNs back, link addresses swapped; print the count in the end")->callback([&] {
        tx(interface);
    });
    app.add_subcommand("sink",
                       "drop frames to and from a flood's random sources, pass others; print their count in the end")
        ->callback([&] { sink(interface); });
    libbpf_set_print(nullptr);
    try {
        app.parse(argc, argv);
        return 0;
    } catch (const CLI::CallForHelp& help) {
        return app.exit(help);
    } catch (const std::exception& error) {
        std::cerr << "vestibule-lab-xdp: " << error.what() << '\n';
        return 1;
    }
}
