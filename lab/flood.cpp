// vestibule-flood: SYNs from random sources, as many as asked for, out of one interface. In the end it prints how many it
// sent and how many of these the interface dropped (on veth: the other end's queue was full).
#include <bpf/libbpf.h>
#include <sched.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "lab/sending.hpp"

namespace {

using namespace vestibule;
using namespace vestibule::lab;
using namespace std::chrono_literals;

struct request {
    std::string interface;
    std::string destination_link;
    std::string destination;
    u16 port = 0;
    std::string sources;
    bool no_timestamps = false;
    limits within{};
    std::optional<int> cpu;
};

void describe_frames(CLI::App& app, request& r) {
    app.add_option("--interface", r.interface, "interface to send from")->required();
    app.add_option("--destination-link", r.destination_link, "link address of the next hop")->required();
    app.add_option("--destination", r.destination, "IPv4 or IPv6 address of the server")->required();
    app.add_option("--port", r.port, "TCP port of the server")->required();
    app.add_option("--sources", r.sources, "prefix of random sources (default: 198.18.0.0/15 or 2001:2::/48)");
    app.add_flag("--no-timestamps", r.no_timestamps, "offer what Windows offers: no timestamps");
}

void describe_limits(CLI::App& app, request& r) {
    app.add_option("--rate", r.within.rate, "SYNs per second (default 0: as fast as possible)");
    app.add_flag("--bursts", r.within.bursts, "twenty bursts a second, asleep in between (default: evenly)");
    app.add_option("--count", r.within.count, "stop after so many SYNs");
    app.add_option_function<double>(
           "--seconds", [&r](double s) { r.within.seconds = std::chrono::duration<double>(s); }, "stop after so long")
        ->check(CLI::Range(0.001, 1e6));
    app.add_option("--pin-cpu", r.cpu, "run on this CPU");
}

void check(const request& r) {
    if (r.within.count == 0 && r.within.seconds.count() == 0)
        throw std::runtime_error("--count or --seconds must say when to stop");
}

prefix sources_of(const request& r, bool v4) {
    const char* benchmarks = v4 ? "198.18.0.0/15" : "2001:2::/48"; // RFC 2544, RFC 5180
    const prefix result = parse_prefix(r.sources.empty() ? benchmarks : r.sources);
    if (result.v4 != v4)
        throw std::runtime_error("--sources and --destination are of different families");
    return result;
}

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

void run_on(int cpu) {
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(cpu, &only);
    if (sched_setaffinity(0, sizeof(only), &only) != 0)
        throw std::runtime_error("cannot run on CPU " + std::to_string(cpu));
}

// Before there are threads: they inherit both.
void prepare_process(std::optional<int> cpu) {
    const sigset_t awaited = stop_signals();
    sigprocmask(SIG_BLOCK, &awaited, nullptr);
    if (cpu)
        run_on(*cpu);
}

bool told_to_stop_within(std::chrono::nanoseconds time) {
    const sigset_t set = stop_signals();
    const timespec timeout{0, std::clamp<long>(time.count(), 0, 20'000'000)};
    return sigtimedwait(&set, nullptr, &timeout) > 0;
}

// Returns how long it took.
std::chrono::duration<double> flood(const generator& from, const limits& within, clock::time_point start) {
    const auto long_enough = within.seconds.count() > 0 ? within.seconds : std::chrono::duration<double>(1e6h);
    const auto end = start + std::chrono::duration_cast<clock::duration>(long_enough);
    sending under_way(from, within, start);
    while (!under_way.ended() && clock::now() < end && !told_to_stop_within(end - clock::now())) {
    }
    const auto stopped = clock::now();
    under_way.stop();
    return std::min(stopped, end) - start;
}

prefix destination_of(const request& r) {
    const prefix result = parse_prefix(r.destination);
    if (result.mask != words{})
        throw std::runtime_error("--destination is one address, not a prefix");
    return result;
}

drafted draft(const request& r, const prefix& destination) {
    const target to{find_interface(r.interface), parse_link_address(r.destination_link), destination, r.port};
    return draft(to, sources_of(r, destination.v4), !r.no_timestamps);
}

void run(const request& r) {
    check(r);
    const prefix destination = destination_of(r);
    drafted frames = draft(r, destination);
    generator from(destination.v4, !r.no_timestamps);
    const u32 dropped_before = dropped_frames(r.interface);
    const auto start = clock::now();
    frames.plan.frames_per_sec = paced_in_kernel(r.within) ? r.within.rate : 0;
    frames.plan.start_ns = static_cast<u64>(start.time_since_epoch().count());
    from.follow(frames);
    const auto took = flood(from, r.within, start);
    std::cout << "{\"sent\": " << from.sent() << ", \"dropped\": " << dropped_frames(r.interface) - dropped_before
              << ", \"seconds\": " << took.count() << "}\n";
}

} // namespace

int main(int argc, char** argv) {
    request r;
    CLI::App app{"Sends TCP SYNs with random sources from inside the kernel. Stops by itself.", "vestibule-flood"};
    describe_frames(app, r);
    describe_limits(app, r);
    libbpf_set_print(nullptr);
    try {
        app.parse(argc, argv);
        prepare_process(r.cpu);
        run(r);
        return 0;
    } catch (const CLI::CallForHelp& help) {
        return app.exit(help);
    } catch (const std::exception& error) {
        std::cerr << "vestibule-flood: " << error.what() << '\n';
        return 1;
    }
}
