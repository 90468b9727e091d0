// The vestibule command: a thin face over control/.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include <CLI/CLI.hpp>
#include <bpf/libbpf.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "control/daemon.hpp"
#include "control/status.hpp"

namespace {

using namespace vestibule;

int quiet(libbpf_print_level, const char*, va_list) {
    return 0;
}

void prepare_log(bool verbose) {
    spdlog::set_default_logger(spdlog::stderr_color_mt("vestibule"));
    const bool live = isatty(STDOUT_FILENO) != 0 && isatty(STDERR_FILENO) != 0; // then a line of rates may stand there
    spdlog::set_pattern(live ? "\r\033[K%^%l%$: %v" : "%^%l%$: %v");
    if (!verbose)
        libbpf_set_print(quiet);
}

CLI::App* add_run(CLI::App& app, run_options& options) {
    static const std::map<std::string, xdp_wish> modes = {
        {"auto", xdp_wish::automatic}, {"native", xdp_wish::native}, {"generic", xdp_wish::generic}};
    CLI::App* run = app.add_subcommand("run", "meet the handshakes of every TCP listener behind the named interfaces");
    run->add_option("--interface,-i", options.interfaces, "interface that peers come through; may be repeated")
        ->required();
    run->add_option_function<std::string>(
           "--xdp", [&options](const std::string& wish) { options.xdp = modes.at(CLI::detail::to_lower(wish)); },
           "where the adaptor runs: auto, native (in the driver), generic")
        ->check(CLI::IsMember(modes, CLI::ignore_case).description("auto|native|generic"));
    run->add_option("--instance", options.instance, "name of this instance")->capture_default_str();
    run->add_option("--key-rotation", options.key_rotation_seconds, "seconds between new cookie keys")
        ->check(CLI::Range(1, 3600))
        ->capture_default_str();
    return run;
}

void print_status(const std::string& instance, bool json) {
    const nlohmann::json status = ask_status(instance_here(instance));
    const std::string text = json ? status.dump(2) + "\n" : render(status);
    std::fputs(text.c_str(), stdout);
}

// What was not understood goes before what is missing.
std::string explanation(const CLI::App& app, const CLI::ParseError& error) {
    const bool command = !app.get_subcommands().empty();
    const auto unknown = app.remaining(true);
    if (!unknown.empty())
        return (command ? "not understood: " : "no such command: ") + unknown.front();
    if (!command && error.get_name() == "RequiredError")
        return "say what to do: run, or status";
    const std::string what = error.what();
    return error.get_name() == "ArgumentMismatch" ? what.substr(0, what.find(':')) + " wants a value" : what;
}

// Help is no error; an error is one line.
int explain(const CLI::App& app, const CLI::ParseError& error) {
    if (error.get_exit_code() == 0)
        return app.exit(error);
    std::string what = explanation(app, error);
    std::replace(what.begin(), what.end(), '\n', ' ');
    std::fprintf(stderr, "vestibule: %s (--help tells more)\n", what.c_str());
    return 2;
}

} // namespace

int main(int argc, char** argv) try {
    CLI::App app{"A network adaptor that does the TCP handshake for its host", "vestibule"};
    app.require_subcommand(1);
    app.set_version_flag("--version", "vestibule " VESTIBULE_VERSION);
    bool verbose = false;
    app.add_flag("--verbose,-v", verbose, "say what the BPF loader does");

    run_options options;
    const CLI::App* run_command = add_run(app, options);
    CLI::App* status = app.add_subcommand("status", "what a running instance does");
    std::string instance = "default";
    bool json = false;
    status->add_option("--instance", instance, "name of the instance")->capture_default_str();
    status->add_flag("--json", json, "for programs");

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return explain(app, error);
    }
    prepare_log(verbose);
    if (run_command->parsed())
        run(options);
    else
        print_status(instance, json);
    return 0;
} catch (const std::exception& e) {
    std::fprintf(stderr, "vestibule: %s\n", e.what());
    return 1;
}
