#include "control/daemon.hpp"

#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "control/acquaintances.hpp"
#include "control/adviser.hpp"
#include "control/clock.hpp"
#include "control/instance.hpp"
#include "control/keyring.hpp"
#include "control/leftovers.hpp"
#include "control/losses.hpp"
#include "control/predecessor.hpp"
#include "control/preflight.hpp"
#include "control/residence.hpp"
#include "control/status.hpp"
#include "control/veth.hpp"
#include "control/witness.hpp"

namespace vestibule {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr u64 longest_farewell_ms = 3000;

// The mark stays what it was: the rule that looks for it may still stand in the packet filter.
settings first_settings(const instance& self, const predecessor& before) {
    settings first{1, randombytes_random() | 1U, randombytes_random() | 1U, self.network_inode};
    if (const auto its = before.its_settings())
        first.untracked_mark = its->untracked_mark;
    return first;
}

// The answers of an earlier run that is still at work stand in them before anybody reads them.
programs load(const predecessor& before) {
    programs loaded;
    before.hand_on_answers(loaded.map("answers"));
    return loaded;
}

std::vector<attachment> attach(const programs& loaded, const run_options& options, const instance& self) {
    make_private_directory(self.pins());
    netlink route(NETLINK_ROUTE);
    const link_table links(route);
    for (const std::string& name : options.interfaces) { // all of them before the first is touched
        require_interface(links, name);
        if (std::count(options.interfaces.begin(), options.interfaces.end(), name) > 1)
            fail("{}: named more than once: name each interface once", name);
    }
    std::vector<attachment> out;
    out.reserve(options.interfaces.size());
    for (const std::string& name : options.interfaces) {
        const link& where = require_interface(links, name);
        out.emplace_back(loaded, where, options.xdp, replies_arrive(route, where), self.pins());
    }
    return out;
}

// What says that the terminal is gone; but nohup(1) has that ignored, and means it.
int hangup() {
    struct sigaction now{};
    return sigaction(SIGHUP, nullptr, &now) == 0 && now.sa_handler == SIG_IGN ? SIGTERM : SIGHUP;
}

class process {
public:
    explicit process(const run_options& options);
    process(const process&) = delete;
    process& operator=(const process&) = delete;

    void run();

private:
    void on_event(const event& e);
    void listen_to_events();
    void every_second();
    void keep_keys();
    void show_rates(const totals& now);
    void replies_lost(u32 ifindex);
    void watch_losses();
    void take_the_place();
    void stop();
    void wait_for_outstanding(u64 until_ms);
    [[nodiscard]] nlohmann::json status() const;
    [[nodiscard]] std::vector<u32> interfaces() const;
    [[nodiscard]] totals counts() const { return read_totals(programs_.map("counters")); }

    asio::io_context io_;
    asio::signal_set signals_{io_, SIGINT, SIGTERM, hangup()}; // heeded after the start, so that it leaves nothing
    run_options options_;
    instance self_;
    residence residence_;
    std::optional<predecessor> before_; // until this one has taken its place
    programs programs_;
    settings settings_;
    keyring keys_;
    u64 epoch_ = 0;
    witness witness_;
    losses losses_{programs_};
    acquaintances acquaintances_{programs_};
    adviser adviser_;
    std::vector<attachment> attachments_; // gone before the adviser takes away its rule, which the handoff relies on
    std::optional<leftovers> leftovers_;
    std::vector<event> told_; // by the datapath, and not dealt with yet
    std::unique_ptr<ring_buffer, void (*)(ring_buffer*)> events_{nullptr, ring_buffer__free};
    asio::posix::stream_descriptor events_readable_{io_};
    asio::steady_timer second_{io_};
    asio::steady_timer rotation_{io_};
    asio::steady_timer farewell_{io_};
    asio::steady_timer leftovers_time_{io_};
    std::unique_ptr<status_server> server_;
    totals last_{};
    u64 last_answered_ms_ = 0;
};

// Only noted: what comes of an event may be an exception, which must not pass through the C library that calls this.
int note_event(void* to, void* data, size_t size) {
    if (size == sizeof(event))
        static_cast<std::vector<event>*>(to)->push_back(*static_cast<const event*>(data));
    return 0;
}

process::process(const run_options& options)
    : options_(options), self_(instance_here(options.instance)), residence_(self_),
      before_(std::in_place, self_.pins(), options.interfaces), programs_(load(*before_)),
      settings_(first_settings(self_, *before_)),
      keys_(load_or_make_secret(self_.directory() / "secret"), options.key_rotation_seconds), witness_(programs_),
      adviser_(io_, programs_, settings_, options.instance) {
    programs_.write(settings_);
    if (const auto its = before_->its_keys())
        keys_.inherit(*its, wall_clock_seconds());
    keep_keys();
    attachments_ = attach(programs_, options, self_);
    witness_.stay(self_.pins());
    take_the_place();
}

// Nothing fails here: from now on there is no way back to what an earlier run left at work.
void process::take_the_place() {
    for (attachment& a : attachments_)
        a.settle();
    residence_.settle();
    before_.reset();
    leftovers_.emplace(self_.pins(), interfaces());
}

std::vector<u32> process::interfaces() const {
    std::vector<u32> out(attachments_.size());
    std::ranges::transform(attachments_, out.begin(), &attachment::ifindex);
    return out;
}

void process::listen_to_events() {
    events_readable_.async_wait(asio::posix::stream_descriptor::wait_read, [this](std::error_code error) {
        if (error)
            return;
        ring_buffer__consume(events_.get());
        for (const event& e : std::exchange(told_, {}))
            on_event(e);
        listen_to_events();
    });
}

void process::run() {
    events_.reset(ring_buffer__new(programs_.map("events"), note_event, &told_, nullptr));
    if (events_ == nullptr)
        fail("cannot read the datapath's events: {}", std::strerror(errno));
    events_readable_.assign(dup(ring_buffer__epoll_fd(events_.get())));
    for (const attachment& a : attachments_)
        fmt::print("{}: XDP {}\n", a.interface(), name_of(a.mode()));
    acquaintances_.keep();
    adviser_.start(interfaces());
    server_ = std::make_unique<status_server>(io_, self_.socket(), [this] { return status(); });
    listen_to_events();
    signals_.async_wait([this](std::error_code error, int) {
        if (!error)
            stop();
    });
    every_second();
    leftovers_time_.expires_after(milliseconds(longest_farewell_ms));
    leftovers_time_.async_wait([this](std::error_code) { leftovers_.reset(); });
    fmt::print("ready\n");
    std::fflush(stdout);
    sd_notify(0, "READY=1");
    io_.run();
}

void process::on_event(const event& e) {
    switch (e.kind) {
    case event_kind::rehearsal_wanted:
        return adviser_.rehearsal_wanted(e);
    case event_kind::listeners_changed:
        return adviser_.listeners_changed(e.where.port);
    case event_kind::handoff_refused:
        return adviser_.handoff_refused(e.where);
    case event_kind::replies_lost:
        return replies_lost(e.where.ifindex);
    }
}

// Looked at often enough that no epoch is ever skipped.
void process::keep_keys() {
    const u64 now = wall_clock_seconds();
    if (keys_.epoch(now) != epoch_) {
        epoch_ = keys_.epoch(now);
        programs_.write(keys_.at(now));
    }
    rotation_.expires_after(milliseconds(100));
    rotation_.async_wait([this](std::error_code error) {
        if (!error)
            keep_keys();
    });
}

// The driver takes our replies and loses them (a veth whose other end takes no XDP frames): generic mode sends through the
// stack's own queue.
void process::replies_lost(u32 ifindex) {
    for (attachment& a : attachments_) {
        if (a.ifindex() != ifindex || a.mode() == xdp_mode::generic)
            continue;
        if (options_.xdp == xdp_wish::native)
            fail("{}: in native mode its driver loses what XDP sends back (on a veth: the other end takes no XDP "
                 "frames); use "
                 "--xdp auto or generic",
                 a.interface());
        spdlog::warn("{}: its driver loses what XDP sends back in native mode; generic mode from now on",
                     a.interface());
        a.step_back();
    }
}

void process::watch_losses() {
    for (const attachment& a : attachments_)
        if (losses_.nearly_all(a.ifindex()))
            replies_lost(a.ifindex());
}

void process::every_second() {
    second_.expires_after(seconds(1));
    second_.async_wait([this](std::error_code error) {
        if (error)
            return;
        watch_losses();
        acquaintances_.keep();
        show_rates(counts());
        every_second();
    });
}

void process::show_rates(const totals& now) {
    const auto grown = [&](reason why) { return of(now, why) - of(last_, why); };
    if (grown(reason::syn_answered) != 0)
        last_answered_ms_ = adaptor_clock_ms();
    if (isatty(STDOUT_FILENO) != 0) {
        fmt::print("\r\033[K{} SYN/s answered, {} connections/s admitted, {} bad cookies/s",
                   grown(reason::syn_answered), grown(reason::admitted), grown(reason::cookie_invalid));
        std::fflush(stdout);
    }
    last_ = now;
}

// Stop answering, let the handshakes under way finish, then go.
void process::stop() {
    sd_notify(0, "STOPPING=1");
    settings_.answering = 0;
    programs_.write(settings_);
    show_rates(counts());
    if (isatty(STDOUT_FILENO) != 0)
        fmt::print("\n");
    adviser_.stop();
    second_.cancel();
    wait_for_outstanding(last_answered_ms_ == 0 ? 0 : last_answered_ms_ + longest_farewell_ms);
}

void process::wait_for_outstanding(u64 until_ms) {
    if (adaptor_clock_ms() >= until_ms) {
        io_.stop();
        return;
    }
    farewell_.expires_after(milliseconds(50));
    farewell_.async_wait([this, until_ms](std::error_code) { wait_for_outstanding(until_ms); });
}

nlohmann::json process::status() const {
    const u64 now = wall_clock_seconds();
    const totals sums = counts();
    return describe({self_, attachments_, adviser_.book(), sums, now - epoch_ * keys_.epoch_seconds(),
                     keys_.epoch_seconds(), adaptor_clock_ms(), settings_.answering != 0});
}

} // namespace

void run(const run_options& options) {
    require_privilege();
    require_kernel();
    require_syncookies();
    require_listing();
    require_pin_room();
    close_to_onlookers();
    std::signal(SIGPIPE, SIG_IGN); // nobody may be reading our lines any more: no reason to stop serving
    process(options).run();
}

} // namespace vestibule
