// vestibule-visitors: visitors of a web server, on the command line.
#include <CLI/CLI.hpp>
#include <iostream>

#include "lab/visiting.hpp"

using namespace vestibule;

int main(int argc, char** argv) {
    lab::invitation to;
    CLI::App app{
        "Visitors of a web server. Prints lines of JSON: the counts so far; in the end, besides, the seconds that each "
        "connect() took, and that each visit took; null where it did not connect, or was not completed.",
        "vestibule-visitors"};
    const auto positive = CLI::Range(0.001, 1e6);
    app.add_option("--server", to.server, "IPv4 or IPv6 address")->required();
    app.add_option("--port", to.port, "TCP port of the server");
    app.add_option("--sources", to.sources, "prefix of the visitors' addresses")->required();
    app.add_option("--first-port", to.first_port, "the visitors' ports, from here on (default: the kernel chooses)");
    app.add_flag("--silent", to.silent, "ask nothing: the server greets its visitors (220) and hangs up");
    app.add_option("--rate", to.rate, "visits begun per second")->check(positive);
    app.add_option("--seconds", to.seconds, "how long visits are begun")->check(positive);
    app.add_option("--patience", to.patience, "seconds for a visit")->check(positive);
    app.add_option("--delay", to.delay, "seconds between the line `ready` and the first visit");
    try {
        app.parse(argc, argv);
        lab::visit_all(to);
        return 0;
    } catch (const CLI::CallForHelp& help) {
        return app.exit(help);
    } catch (const std::exception& error) {
        std::cerr << "vestibule-visitors: " << error.what() << '\n';
        return 1;
    }
}
