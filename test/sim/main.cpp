// sim: handshakes by the million over a simulated network, and a table of what became of them.
//
// Everything that peers, attackers and adaptors send is real frames; the engine reads them, judges them and writes its
// SYN-ACKs over them as in the kernel. One seed decides all the rest, so the table is the same on every machine and is
// kept in the tree: a change of behaviour is a difference that can be read. Whatever the seed, a run fails that breaks a
// bound of test/sim/bounds.cpp (test/sim/ledger.hpp says what is counted, test/sim/rules.hpp and test/sim/patience.hpp
// what "in time" means).
//
//   sim --expect test/sim/table.txt               what ./run test does: a million handshakes, compared with the table
//   sim --record test/sim/table.txt               writes that table anew
//   sim --seed 7 --handshakes 20000000            longer, and not the same
//   sim --only "two adaptors"                     one row
#include <fstream>
#include <iostream>
#include <sstream>

#include <CLI/CLI.hpp>

#include "test/sim/bounds.hpp"
#include "test/sim/table.hpp"

using namespace vestibule;
using namespace vestibule::test;

namespace {

struct wishes {
    u64 seed = 1;
    u64 handshakes = 1'000'000;
    std::string only;
    std::string expect;
    std::string record;
};

wishes read_wishes(int count, char** arguments) {
    wishes w;
    CLI::App app("handshakes by the million over a simulated network");
    app.add_option("--seed", w.seed, "decides everything")->capture_default_str();
    app.add_option("--handshakes", w.handshakes, "over all scenarios together")->capture_default_str();
    app.add_option("--only", w.only, "run this scenario alone");
    app.add_option("--expect", w.expect, "fail where the table differs from this file");
    app.add_option("--record", w.record, "write the table to this file");
    try {
        app.parse(count, arguments);
    } catch (const CLI::ParseError& e) {
        std::exit(app.exit(e));
    }
    return w;
}

std::vector<row> run_all(const wishes& w) {
    const std::vector<scenario> all = scenarios();
    std::vector<row> rows;
    u64 number = 0;
    for (const scenario& s : all) {
        const u64 seed = w.seed * 1'000'003 + 10 * ++number;
        if (w.only.empty() || s.name == w.only)
            rows.push_back({s, simulation(s, seed, (w.handshakes + all.size() - 1) / all.size()).run()});
    }
    if (rows.empty())
        throw std::runtime_error("no scenario is called '" + w.only + "'");
    return rows;
}

bool as_expected(const std::string& table, const std::string& file) {
    std::ifstream in(file);
    std::stringstream expected;
    expected << in.rdbuf();
    if (in && expected.str() == table)
        return true;
    std::cerr << "the table is not that of " << file << " (if that is meant: sim --record " << file << ")\n";
    return false;
}

int run(const wishes& w) {
    const std::vector<row> rows = run_all(w);
    const std::string table = table_of(rows);
    std::cout << table;
    bool good = true;
    for (const row& r : rows)
        for (const std::string& wrong : wrongs_of(r)) {
            std::cerr << wrong << '\n';
            good = false;
        }
    if (!w.expect.empty())
        good &= as_expected(table, w.expect);
    if (!w.record.empty())
        std::ofstream(w.record) << table;
    return good ? 0 : 1;
}

} // namespace

int main(int count, char** arguments) {
    try {
        return run(read_wishes(count, arguments));
    } catch (const std::exception& e) {
        std::cerr << "sim: " << e.what() << '\n';
        return 1;
    }
}
