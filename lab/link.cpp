// vestibule-lab-link: an impaired link between two network namespaces. It makes an (Ethernet) interface in each and
// carries the frames from one to the other, late, and with losses where it is told so. In the end it says what it did.
//
// The interfaces are TAPs, because nothing is between the stack and this program then: frames come as they would be on
// a wire, no longer than the MTU, with their checksums and VLAN tags.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <csignal>
#include <functional>
#include <iostream>
#include <map>
#include <vector>

#include "lab/fates.hpp"
#include "lab/tap.hpp"

namespace {

using namespace vestibule;
using namespace vestibule::lab;
using clock = std::chrono::steady_clock;

struct request {
    std::vector<std::string> one;
    std::vector<std::string> other;
    impairment each_way;
    double delay = 0;
    double jitter = 0;
};

struct direction {
    const tap& from;
    const tap& to;
    fates decide;
    asio::posix::stream_descriptor readable; // a descriptor of its own for the file of `from`
    u64 refused = 0;                         // by the interface it led to, while that was down
};

struct travelling {
    std::reference_wrapper<direction> by;
    std::vector<u8> frame;
};

class carrier {
public:
    explicit carrier(const request& r);

    // Goes on until a signal tells it to end.
    void run() { io_.run(); }
    void print_summary() const;

private:
    void listen(direction& d);
    void take(direction& d);
    void send_off(direction& d, std::span<u8> frame);
    void deliver();
    void deliver_later();

    asio::io_context io_;
    asio::signal_set signals_{io_, SIGINT, SIGTERM};
    asio::steady_timer due_{io_};
    tap one_;
    tap other_;
    direction forth_;
    direction back_;
    // By the time of arrival. Those of the same time keep their order.
    std::multimap<clock::time_point, travelling> under_way_;
    u64 late_ = 0;
    std::array<u8, 1 << 17> room_;
};

carrier::carrier(const request& r)
    : one_(r.one.at(0), r.one.at(1)), other_(r.other.at(0), r.other.at(1)),
      forth_{one_, other_, fates(r.each_way), asio::posix::stream_descriptor(io_, dup(one_.file()))},
      back_{other_, one_, fates(r.each_way), asio::posix::stream_descriptor(io_, dup(other_.file()))} {
    signals_.async_wait([this](std::error_code, int) { io_.stop(); });
    listen(forth_);
    listen(back_);
}

void carrier::listen(direction& d) {
    d.readable.async_wait(asio::posix::stream_descriptor::wait_read, [this, &d](std::error_code error) {
        if (error)
            return;
        take(d);
        deliver();
        listen(d);
    });
}

// A limited number at once, so that the other direction and the timer have their turn.
void carrier::take(direction& d) {
    for (int n = 0; n < 64; ++n) {
        const std::span<u8> frame = d.from.read(room_);
        if (frame.empty())
            return;
        send_off(d, frame);
    }
}

void carrier::send_off(direction& d, std::span<u8> frame) {
    const fate drawn = d.decide.of(frame);
    const auto arrival = clock::now() + std::chrono::duration_cast<clock::duration>(drawn.delay);
    for (unsigned copy = 0; copy < drawn.copies; ++copy)
        under_way_.emplace(arrival, travelling{d, {frame.begin(), frame.end()}});
}

void carrier::deliver() {
    while (!under_way_.empty()) {
        const auto now = clock::now();
        const auto& [arrival, first] = *under_way_.begin();
        if (arrival > now)
            break;
        late_ += now - arrival > std::chrono::milliseconds(1);
        direction& by = first.by;
        by.refused += !by.to.write(first.frame);
        under_way_.erase(under_way_.begin());
    }
    deliver_later();
}

void carrier::deliver_later() {
    if (under_way_.empty())
        return;
    due_.expires_at(under_way_.begin()->first);
    due_.async_wait([this](std::error_code error) {
        if (!error)
            deliver();
    });
}

void print(const char* name, const direction& d) {
    const fate_counts& c = d.decide.counts();
    std::cout << '"' << name << R"(": {"frames": )" << c.frames << R"(, "segments": )" << c.segments << R"(, "lost": )"
              << c.lost << R"(, "duplicated": )" << c.duplicated << R"(, "syns": )" << c.syns
              << R"(, "repeated_syns": )" << c.repeated_syns << R"(, "lost_syns": )" << c.lost_syns
              << R"(, "refused": )" << d.refused << R"(, "overflowed": )" << d.from.overflowed() << '}';
}

void carrier::print_summary() const {
    std::cout << '{';
    print("forth", forth_);
    std::cout << ", ";
    print("back", back_);
    std::cout << R"(, "late": )" << late_ << '}' << std::endl;
}

void run(const request& r) {
    carrier link(r);
    std::cout << "ready" << std::endl;
    link.run();
    link.print_summary();
}

void describe_impairment(CLI::App& app, request& r) {
    const auto percent = CLI::Range(0.0, 100.0);
    const auto time = CLI::Range(0.0, 60'000.0);
    app.add_option("--delay", r.delay, "milliseconds that every frame is on its way")->check(time);
    app.add_option("--jitter", r.jitter, "up to so many milliseconds more for each TCP segment")->check(time);
    app.add_option("--loss", r.each_way.loss, "percent of the TCP segments that are lost")->check(percent);
    app.add_option("--duplicates", r.each_way.duplicates, "percent of the TCP segments that arrive twice")
        ->check(percent);
    app.add_option("--seed", r.each_way.seed, "of chance: the same, and the same segments of each flow are lost");
}

} // namespace

int main(int argc, char** argv) {
    request r;
    CLI::App app{
        "An impaired link between two network namespaces, alike in both directions. When told to stop, it prints what "
        "it "
        "carried: forth (from --one to --other) and back; `late` are frames that arrived over a millisecond too late.",
        "vestibule-lab-link"};
    app.add_option("--one", r.one, "path of a network namespace, and the interface to make there")
        ->expected(2)
        ->required();
    app.add_option("--other", r.other, "the same for the other end")->expected(2)->required();
    describe_impairment(app, r);
    try {
        app.parse(argc, argv);
        r.each_way.delay = milliseconds(r.delay);
        r.each_way.jitter = milliseconds(r.jitter);
        run(r);
        return 0;
    } catch (const CLI::CallForHelp& help) {
        return app.exit(help);
    } catch (const std::exception& error) {
        std::cerr << "vestibule-lab-link: " << error.what() << '\n';
        return 1;
    }
}
