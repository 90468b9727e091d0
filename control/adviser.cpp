#include "control/adviser.hpp"

#include <unistd.h>

#include <algorithm>
#include <ctime>

#include <spdlog/spdlog.h>

#include "control/clock.hpp"
#include "control/text.hpp"

namespace vestibule {

namespace {

using std::chrono::milliseconds;

// Changes come in bursts: ask once, when they are through. Where they never end, asking takes a fifth of the time.
constexpr milliseconds least_settling{30};
constexpr milliseconds most_settling{300};
constexpr int rest_to_work = 4;

constexpr milliseconds neighbour_wait{100};
constexpr int tries_when_outdated = 5; // one each neighbour_wait
constexpr u64 filter_settles_ms = 2000;
constexpr milliseconds afterglow{100}; // the stack may speak late, where receiving is spread over CPUs
constexpr milliseconds tick{250};      // what announces nothing is looked at so often
constexpr int period_ticks = 120;
constexpr std::size_t most_at_once = 1024; // some 200 ms
constexpr std::size_t most_wanted = 64;    // at a time; more come again

bool reached_by(const std::vector<local_address>& addresses, const address& a) {
    return std::any_of(addresses.begin(), addresses.end(), [&](const local_address& l) { return same(l.ip, a); });
}

} // namespace

adviser::adviser(asio::io_context& io, const programs& loaded, const settings& set, const std::string& instance_name)
    : rehearsal_(loaded, route_, set.rehearsal_token), filter_("vestibule_" + instance_name, set.untracked_mark),
      book_(loaded.adaptor.map("answers"), loaded.adaptor.map("editions")), ways_(route_, loaded.adaptor.map("ways")),
      route_readable_(io), filter_readable_(io), neighbours_readable_(io), acquaintance_(io), soon_(io), tick_(io),
      again_(io), rest_(io), slice_(io) {}

void adviser::start(std::vector<u32> interfaces) {
    interfaces_ = std::move(interfaces);
    const link_table links(route_);
    for (u32 ifindex : interfaces_)
        if (const link* l = links.by_index(ifindex); l != nullptr)
            changes_.heed(l->name);
    everything_ = true;
    ask_what_is_due();
    while (!pending_.empty()) // whoever is told that we are ready finds all listeners served
        next_slice();
    route_readable_.assign(dup(changes_.route_descriptor()));
    filter_readable_.assign(dup(changes_.filter_descriptor()));
    watch_routes();
    neighbours_readable_.assign(dup(changes_.neighbour_descriptor()));
    watch_filter();
    watch_neighbours();
    every_tick();
}

void adviser::stop() {
    route_readable_.close();
    filter_readable_.close();
    neighbours_readable_.close();
    acquaintance_.cancel();
    soon_.cancel();
    tick_.cancel();
    again_.cancel();
    rest_.cancel();
    slice_.cancel();
    rehearsal_.rest();
}

void adviser::watch_routes() {
    route_readable_.async_wait(asio::posix::stream_descriptor::wait_read, [this](std::error_code error) {
        if (error)
            return;
        if (changes_.drain_routes())
            everything_ = true, soon();
        watch_routes();
    });
}

void adviser::watch_filter() {
    filter_readable_.async_wait(asio::posix::stream_descriptor::wait_read, [this](std::error_code error) {
        if (error)
            return;
        if (changes_.drain_filter()) {
            changes_.poll_quiet(); // tells the same
            filter_changed();
        }
        watch_filter();
    });
}

// Neighbours are met and forgotten all the time: what they tell of the ways is published, and only the gateways' own are
// reason to ask anew.
void adviser::watch_neighbours() {
    neighbours_readable_.async_wait(asio::posix::stream_descriptor::wait_read, [this](std::error_code error) {
        if (error)
            return;
        acquaintance_.expires_after(least_settling);
        acquaintance_.async_wait([this](std::error_code gone) {
            if (gone)
                return;
            neighbours_changed();
            watch_neighbours();
        });
    });
}

void adviser::neighbours_changed() {
    if (changes_.drain_neighbours() && ways_.renew_neighbours())
        everything_ = true, soon();
}

// With the first NAT rule, every connection handed over in the tracked form is reset: that form must go at once, before
// anything is asked. A handoff that was refused may be taken now.
void adviser::filter_changed() {
    filter_changed_ms_ = adaptor_clock_ms();
    refused_once_.clear();
    book_.forgive();
    if (!due_ && filter_.has_nat() && !std::exchange(nat_, true) && filter_.let_marked_pass_untracked())
        book_.hand_over_untracked();
    everything_ = true;
    soon();
}

void adviser::soon() {
    if (std::exchange(due_, true))
        return;
    soon_.expires_after(std::clamp(worked_ * rest_to_work, least_settling, most_settling));
    soon_.async_wait([this](std::error_code error) {
        due_ = false;
        if (!error)
            ask_what_is_due();
    });
}

void adviser::every_tick() {
    tick_.expires_after(tick);
    tick_.async_wait([this](std::error_code error) {
        if (error)
            return;
        if (changes_.poll_quiet())
            filter_changed();
        if (++ticks_ >= period_ticks)
            everything_ = true;
        for (const auto& [where, e] : book_.all())
            if (e.on_file.state == service::left && e.on_file.why == left_reason::flooded)
                ports_.insert(where.port);
        if (everything_ || !ports_.empty())
            soon();
        every_tick();
    });
}

void adviser::listeners_changed(be16 port) {
    ports_.insert(port);
    soon();
}

void adviser::rehearsal_wanted(const event& e) {
    if (wanted_.size() >= most_wanted)
        return;
    source asking{e.peer, {}, {}, false};
    std::copy(std::begin(e.link), std::end(e.link), asking.link.begin());
    wanted_.push_back({e.where, asking});
    soon();
}

// Not at once where the packet filter has just changed: then the next rehearsal tells what to do. But a listener refused
// again after that is given up, or a change that rehearsals do not see would cost it peers for ever.
void adviser::handoff_refused(const endpoint& where) {
    if (changes_.poll_quiet() || filter_.has_nat() != nat_)
        filter_changed();
    if (adaptor_clock_ms() - filter_changed_ms_ < filter_settles_ms && refused_once_.insert(where).second) {
        everything_ = true;
        soon();
        return;
    }
    spdlog::error("{}: the host's stack refuses the connections it is handed; this listener is left to the stack",
                  text(where));
    book_.give_up(where);
}

// Every listener at every address that frames for it can come to, and whatever else is on file (addresses not our own,
// VLANs). Not everything due: those on certain ports.
std::vector<question> adviser::due_questions() {
    const listener_index listeners(listening_sockets(diagnosis_));
    const auto addresses = local_addresses(route_);
    const link_table links(route_);
    forget_the_gone(listeners, addresses);
    std::map<endpoint, question, endpoint_order> out;
    const auto due = [&](const endpoint& where) {
        return (everything_ || ports_.contains(where.port)) && !book_.given_up(where);
    };
    for (const question& q : wanted_)
        if (!book_.given_up(q.where))
            out.emplace(q.where, q);
    for (const question& q : book_.every_question())
        if (due(q.where))
            out.emplace(q.where, q);
    for (const local_address& at : addresses)
        for (u32 ifindex : interfaces_) {
            const link* own = links.by_index(at.ifindex);
            if (own == nullptr || own->kind == "vlan" || !links.leads_to(at.ifindex, ifindex))
                continue;
            for (be16 port : listeners.ports_at(at.ip))
                if (const endpoint where{ifindex, 0, 0, at.ip, port, 0}; due(where))
                    out.emplace(where, question{where, std::nullopt});
        }
    std::vector<question> questions;
    questions.reserve(out.size());
    for (auto& [where, q] : out)
        questions.push_back(q);
    return questions;
}

// The listener went, or the address: then the adaptor must not say a word more there.
void adviser::forget_the_gone(const listener_index& listeners, const std::vector<local_address>& addresses) {
    std::map<address, bool, address_order> local;
    std::vector<endpoint> gone;
    for (const auto& [where, e] : book_.all()) {
        auto at = local.find(where.local);
        if (at == local.end())
            at = local.emplace(where.local, reached_by(addresses, where.local) || is_local(route_, where.local)).first;
        if (!at->second || !listeners.any_at(where.local, where.port))
            gone.push_back(where);
    }
    for (const endpoint& where : gone)
        book_.forget(where);
}

void adviser::ask_what_is_due() {
    if (everything_) {
        ways_.renew(interfaces_);
        ticks_ = 0;
        unanswerable_.clear();
        pending_.clear();
    }
    const auto questions = due_questions();
    pending_.insert(pending_.end(), questions.begin(), questions.end());
    everything_ = false;
    ports_.clear();
    wanted_.clear();
    worked_ = milliseconds(0);
    next_slice();
}

// Other work has its turn between the slices.
void adviser::next_slice() {
    const auto end = pending_.begin() + static_cast<std::ptrdiff_t>(std::min(most_at_once, pending_.size()));
    const std::vector<question> slice(pending_.begin(), end);
    pending_.erase(pending_.begin(), end);
    const std::clock_t began = std::clock(); // of our processor time: most of a rehearsal is waiting
    ask(slice);
    worked_ += milliseconds((std::clock() - began) * 1000 / CLOCKS_PER_SEC);
    if (pending_.empty())
        return;
    slice_.expires_after(milliseconds(0));
    slice_.async_wait([this](std::error_code error) {
        if (!error)
            next_slice();
    });
}

void adviser::ask(const std::vector<question>& questions) {
    nat_ = filter_.has_nat();
    markable_ = nat_ && filter_.let_marked_pass_untracked();
    if (!questions.empty()) {
        try {
            settle(rehearsal_.perform(questions, nat_, markable_), questions);
            failed_ = false;
        } catch (const failure& f) { // an interface may go in the midst of it
            spdlog::warn("a rehearsal failed, another follows: {}", f.what());
            everything_ = true;
            if (!std::exchange(failed_, true))
                soon(); // else with the next tick
        }
        rest_later();
    }
    if (!nat_)
        filter_.withdraw();
}

void adviser::rest_later() {
    rest_.expires_after(afterglow);
    rest_.async_wait([this](std::error_code error) {
        if (!error)
            rehearsal_.rest();
    });
}

void adviser::settle(const std::vector<finding>& findings, const std::vector<question>& questions) {
    std::vector<question> doubtful;
    const bool silence = std::any_of(findings.begin(), findings.end(),
                                     [](const finding& f) { return f.result.why == left_reason::no_answer; });
    const listener_index full(silence ? full_ones(listening_sockets(diagnosis_)) : std::vector<listening>{});
    for (std::size_t i = 0; i < findings.size(); ++i) {
        const finding& f = findings[i];
        const bool left = f.result.state == service::left;
        const bool unknown = left && f.result.why == left_reason::no_source;
        const bool silent = left && f.result.why == left_reason::no_answer;
        // A full accept queue keeps a listener silent; what was on file stays.
        if (unknown || (silent && full.any_at(f.where.local, f.where.port)))
            try_again(f, questions[i]);
        else if (is_doubtful(f, questions[i]))
            doubtful.push_back({f.where, questions[i].asking, questions[i].tries - 1});
        else
            file(f, questions[i]);
    }
    if (!doubtful.empty())
        settle(rehearsal_.perform(doubtful, nat_, markable_), doubtful);
}

bool adviser::is_outdated(const endpoint& where) const {
    const auto at = book_.all().find(where);
    return at != book_.all().end() && at->second.on_file.rehearsed_ms < filter_changed_ms_;
}

// Silence towards one peer may be due to a connection of its own from that very port: it is asked once more from
// another.
bool adviser::is_doubtful(const finding& f, const question& q) const {
    const auto before = book_.all().find(f.where);
    return f.result.state == service::left && f.result.why == left_reason::by_source && q.tries == question{}.tries &&
           before != book_.all().end() && before->second.on_file.state == service::served;
}

void adviser::file(const finding& f, const question& q) {
    finding filed = f;
    if (!ways_.alike_for_strangers(f.where.local))
        std::memset(filed.result.way_back, 0, sizeof(filed.result.way_back));
    if (book_.given_up(f.where) || !book_.file(filed, q.asking, adaptor_clock_ms()))
        return;
    if (f.result.state == service::served)
        spdlog::info("{}: served", text(f.where));
    else
        spdlog::info("{}: left to the stack: {}", text(f.where), text(f.result.why));
}

// What is on file stays meanwhile; but what dates from before the packet filter changed, not for long.
void adviser::try_again(const finding& f, const question& q) {
    if (is_outdated(f.where) && q.tries + tries_when_outdated <= question{}.tries)
        file(f, q);
    if (q.tries == 0)
        return;
    unanswerable_.push_back({q.where, q.asking, q.tries - 1});
    if (unanswerable_.size() > 1)
        return;
    again_.expires_after(neighbour_wait);
    again_.async_wait([this](std::error_code error) {
        if (!error)
            ask(std::exchange(unanswerable_, {}));
    });
}

} // namespace vestibule
