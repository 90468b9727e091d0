#include "control/adviser.hpp"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <thread>

#include <spdlog/spdlog.h>

#include "control/clock.hpp"
#include "control/text.hpp"

namespace vestibule {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// Changes come in bursts: ask once, when they are through. Where they never end, control/pace.hpp says how often.
constexpr milliseconds least_settling{30};
constexpr int pause_to_look = 9; // a look at what changed takes a tenth of the time at most

constexpr milliseconds neighbour_wait{100};
constexpr int tries_when_outdated = 5; // one each neighbour_wait
constexpr u64 filter_settles_ms = 2000;
constexpr milliseconds afterglow{100}; // the stack may speak late, where receiving is spread over CPUs
constexpr milliseconds tick{250};      // what announces nothing is looked at so often
constexpr int period_ticks = 120;
constexpr int ticks_between_silences = 4;
constexpr std::size_t most_at_once = 1024; // some 200 ms
constexpr std::size_t most_wanted = 64;    // at a time; more come again
constexpr std::size_t most_remembered = 4096;

bool reached_by(const std::vector<local_address>& addresses, const address& a) {
    return std::any_of(addresses.begin(), addresses.end(), [&](const local_address& l) { return same(l.ip, a); });
}

question tried(question q) {
    --q.tries;
    return q;
}

bool is_left(const finding& f, left_reason why) {
    return f.result.state == service::left && f.result.why == why;
}

} // namespace

adviser::adviser(asio::io_context& io, const programs& loaded, const settings& set, const std::string& instance_name)
    : rehearsal_(loaded, route_, set.rehearsal_token), filter_("vestibule_" + instance_name, set.untracked_mark),
      book_(loaded.map("answers"), loaded.map("editions")), ways_(route_, loaded.map("ways")), route_readable_(io),
      filter_readable_(io), neighbours_readable_(io), acquaintance_(io), filter_pause_(io), soon_(io), tick_(io),
      again_(io), rest_(io), slice_(io) {}

void adviser::start(std::vector<u32> interfaces) {
    interfaces_ = std::move(interfaces);
    const link_table links(route_);
    for (u32 ifindex : interfaces_)
        if (const link* l = links.by_index(ifindex); l != nullptr)
            changes_.heed(l->name);
    for (const endpoint& where : book_.all_given_up()) // in an earlier run
        refusals_.is_final(where, false, adaptor_clock_ms());
    everything_ = true;
    ask_what_is_due();
    while (!agenda_.empty()) // whoever is told that we are ready finds all listeners served
        next_slice();
    pace_ = {}; // there was nothing else to do
    route_readable_.assign(dup(changes_.route_descriptor()));
    filter_readable_.assign(dup(changes_.filter_descriptor()));
    watch_routes();
    neighbours_readable_.assign(dup(changes_.neighbour_descriptor()));
    watch_filter();
    watch_neighbours();
    every_tick();
}

// The hook stays for as long as the stack may still speak.
void adviser::stop() {
    route_readable_.close();
    filter_readable_.close();
    neighbours_readable_.close();
    acquaintance_.cancel();
    filter_pause_.cancel();
    soon_.cancel();
    tick_.cancel();
    again_.cancel();
    rest_.cancel();
    slice_.cancel();
    std::this_thread::sleep_until(asked_ + afterglow);
    rehearsal_.rest();
}

// Returns the processor time it took: most of a rehearsal is waiting. What fails (an interface goes in the midst of it, the
// kernel is short of memory) is done again; what is on file stays meanwhile.
template <class Do>
pace::clock::duration adviser::work(Do what) {
    const std::clock_t began = std::clock();
    try {
        what();
    } catch (const failure& f) {
        everything_ = true; // with the next tick at the latest
        if (!std::exchange(failed_, true)) {
            spdlog::warn("a rehearsal failed, another follows: {}", f.what());
            soon();
        }
    }
    return microseconds((std::clock() - began) * 1'000'000 / CLOCKS_PER_SEC);
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
        const auto spent = work([this] {
            if (!changes_.drain_filter())
                return;
            changes_.poll_quiet(); // tells the same
            filter_changed();
        });
        filter_pause_.expires_after(spent * pause_to_look);
        filter_pause_.async_wait([this](std::error_code gone) {
            if (!gone)
                watch_filter();
        });
    });
}

// Neighbours are met and forgotten all the time: what they tell of the ways is published, and only the gateways' own are
// reason to ask anew.
void adviser::watch_neighbours() {
    acquaintance_.async_wait([this](std::error_code gone) {
        if (gone)
            return;
        neighbours_readable_.async_wait(asio::posix::stream_descriptor::wait_read, [this](std::error_code error) {
            if (error)
                return;
            const auto spent = work([this] { neighbours_changed(); });
            acquaintance_.expires_after(std::max<pace::clock::duration>(spent * pause_to_look, least_settling));
            watch_neighbours();
        });
    });
}

void adviser::neighbours_changed() {
    if (changes_.drain_neighbours() && ways_.renew_neighbours())
        everything_ = true, soon();
}

// Who replaces a ruleset takes our one rule along, and with the first NAT rule every connection handed over in the tracked
// form is reset: both are mended at once, before anything is asked. A handoff that was refused may be taken now.
void adviser::filter_changed() {
    filter_changed_ms_ = adaptor_clock_ms();
    refusals_.filter_changed();
    forgive();
    everything_ = true;
    soon();
    heed_nat();
}

void adviser::heed_nat() {
    const bool before = std::exchange(nat_, filter_.has_nat());
    markable_ = nat_ && filter_.let_marked_pass_untracked();
    if (nat_ && !before)
        nat_appeared_ms_ = adaptor_clock_ms();
    if (markable_ && !before)
        book_.hand_over_untracked();
}

void adviser::soon() {
    if (std::exchange(due_, true))
        return;
    soon_.expires_after(std::max<pace::clock::duration>(pace_.rest(pace::clock::now()), least_settling));
    soon_.async_wait([this](std::error_code error) {
        due_ = false;
        if (error)
            return;
        if (pace_.rest(pace::clock::now()) > pace::clock::duration::zero()) // there was more to do meanwhile
            return soon();
        ask_what_is_due();
    });
}

void adviser::every_tick() {
    tick_.expires_after(tick);
    tick_.async_wait([this](std::error_code error) {
        if (error)
            return;
        work([this] {
            if (changes_.poll_quiet())
                filter_changed();
        });
        if (++ticks_ >= period_ticks)
            everything_ = true;
        forgive();
        ask_the_flooded();
        ask_the_silent();
        if (everything_ || !ports_.empty())
            soon();
        every_tick();
    });
}

void adviser::ask_the_flooded() {
    for (const auto& [where, e] : book_.all())
        if (e.on_file.state == service::left && e.on_file.why == left_reason::flooded)
            ports_.insert(where.port);
}

void adviser::ask_the_silent() {
    if (ticks_ % ticks_between_silences != 0 || pace_.rest(pace::clock::now()) > pace::clock::duration::zero())
        return;
    questions_by_endpoint again;
    for (const endpoint& where : silences_.all_doubted())
        again.emplace(where, book_.question_about(where));
    agenda_.add(again);
    go_on();
}

void adviser::forgive() {
    for (const endpoint& where : book_.all_given_up())
        if (refusals_.may_try_again(where, adaptor_clock_ms())) {
            book_.forget(where);
            ports_.insert(where.port);
        }
}

void adviser::listeners_changed(be16 port) {
    listeners_changed_ms_[port] = adaptor_clock_ms();
    ports_.insert(port);
    soon();
}

// Whoever sends a SYN makes us ask, so there must be somebody to ask: not for traffic in transit, and not on a VLAN that is
// not here.
void adviser::rehearsal_wanted(const event& e) {
    if (wanted_.size() >= most_wanted || book_.find(e.where) != nullptr ||
        !ways_.come_so(e.where.ifindex, {e.where.outer_vlan, e.where.inner_vlan}) || !is_ours(e.where.local))
        return;
    source asking{e.peer, {}, {}, false};
    std::copy(std::begin(e.link), std::end(e.link), asking.link.begin());
    wanted_.push_back({e.where, asking, true});
    soon();
}

bool adviser::is_ours(const address& a) {
    if (const auto at = ours_.find(a); at != ours_.end())
        return at->second;
    if (ours_.size() >= most_remembered)
        ours_.clear();
    bool ours = false;
    work([&] { ours = ours_[a] = is_local(route_, a); });
    return ours;
}

// Not at once where the packet filter has just changed: then the next rehearsal tells what to do. But a listener refused
// again after that is given up, or a change that rehearsals do not see would cost it peers for ever.
void adviser::handoff_refused(const endpoint& where) {
    work([&] {
        if (changes_.poll_quiet() || filter_.has_nat() != nat_)
            filter_changed();
    });
    const u64 now = adaptor_clock_ms();
    // What was handed over tracked when NAT rules came says nothing of the listener.
    const bool by_nat = now - nat_appeared_ms_ < filter_settles_ms;
    if (by_nat || !refusals_.is_final(where, now - filter_changed_ms_ < filter_settles_ms, now)) {
        everything_ = true;
        soon();
        return;
    }
    spdlog::error("{}: the host's stack refuses the connections it is handed; this listener is left to the stack",
                  text(where));
    work([&] { book_.give_up(where); });
}

// Every listener at every address that frames for it can come to, and whatever else is on file (addresses not our own,
// VLANs). Not everything due: those on certain ports.
questions_by_endpoint adviser::due_questions() {
    const listener_index listeners(listening_sockets(diagnosis_));
    const auto addresses = local_addresses(route_);
    forget_the_gone(listeners, addresses);
    questions_by_endpoint due;
    for (const question& q : wanted_)
        if (book_.find(q.where) == nullptr) // still
            due.emplace(q.where, q);
    for (const auto& [where, e] : book_.all())
        if (is_due(where))
            due.emplace(where, book_.question_about(where));
    add_own(due, listeners, addresses);
    return due;
}

void adviser::add_own(questions_by_endpoint& due, const listener_index& listeners,
                      const std::vector<local_address>& addresses) const {
    for (const local_address& at : addresses)
        for (u32 ifindex : interfaces_) {
            const auto vlan = ways_.links().tags_between(at.ifindex, ifindex);
            if (!vlan)
                continue;
            const bool tagged = (vlan->outer | vlan->inner) != 0; // waits for a peer
            for (be16 port : listeners.ports_at(at.ip)) {
                const endpoint where{ifindex, vlan->outer, vlan->inner, at.ip, port, 0};
                if (const auto found = due.find(where); found != due.end())
                    found->second.brought_by_peer = false;
                else if (!tagged && is_due(where))
                    due.emplace(where, question{where, std::nullopt});
            }
        }
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
    for (const endpoint& where : gone) {
        book_.forget(where);
        silences_.end(where);
    }
}

void adviser::ask_what_is_due() {
    const auto spent = work([this] {
        if (everything_)
            ways_.renew(interfaces_);
        auto due = due_questions();
        if (everything_) {
            if (silences_.empty()) // else those who met silence listen again
                rehearsal_.meet_others();
            ticks_ = 0;
            unanswerable_.clear();
            agenda_.renew(std::move(due));
        } else {
            agenda_.add(due);
        }
        everything_ = false;
        ports_.clear();
        wanted_.clear();
        ours_.clear();
    });
    pace_.worked(spent, pace::clock::now());
    next_slice();
}

// Other work has its turn between the slices.
void adviser::go_on() {
    if (agenda_.empty() || std::exchange(going_on_, true))
        return;
    slice_.expires_after(milliseconds(0));
    slice_.async_wait([this](std::error_code error) {
        going_on_ = false;
        if (!error)
            next_slice();
    });
}

void adviser::next_slice() {
    const auto spent = work([this] { ask(agenda_.next(most_at_once)); });
    pace_.worked(spent, pace::clock::now());
    rest_later();
    go_on();
}

void adviser::ask(const std::vector<question>& questions) {
    heed_nat();
    if (!questions.empty())
        settle(rehearsal_.perform(questions, nat_, markable_), questions);
    failed_ = false;
    if (!nat_ && agenda_.empty()) // no answer tells of the rule any more
        filter_.withdraw();
}

void adviser::rest_later() {
    asked_ = pace::clock::now();
    rest_.expires_after(afterglow);
    rest_.async_wait([this](std::error_code error) {
        if (!error)
            rehearsal_.rest();
    });
}

void adviser::settle(const std::vector<finding>& findings, const std::vector<question>& questions) {
    std::vector<question> once_more;
    const bool silence = std::any_of(findings.begin(), findings.end(),
                                     [](const finding& f) { return is_left(f, left_reason::no_answer); });
    const listener_index full(silence ? full_ones(listening_sockets(diagnosis_)) : std::vector<listening>{});
    for (std::size_t i = 0; i < findings.size(); ++i) {
        const finding& f = findings[i];
        const bool silent = is_left(f, left_reason::no_answer);
        // A full accept queue keeps a listener silent; what was on file stays.
        if (is_left(f, left_reason::no_source) || (silent && full.any_at(f.where.local, f.where.port)))
            try_again(f, questions[i]);
        else if (fell_silent(f) && questions[i].tries == question{}.tries)
            once_more.push_back(tried(questions[i]));
        else
            believe(f, questions[i]);
    }
    if (!once_more.empty())
        settle(rehearsal_.perform(once_more, nat_, markable_), once_more);
}
bool adviser::is_outdated(const endpoint& where) const {
    const answer* a = book_.find(where);
    return a != nullptr && a->rehearsed_ms < filter_changed_ms_;
}

// Silence towards one peer may be due to a connection of its own from that very port: it is asked once more from
// another. So may a frame be lost, here or in a flood.
bool adviser::fell_silent(const finding& f) const {
    const answer* before = book_.find(f.where);
    return f.silence && before != nullptr && (before->state == service::served || silences_.doubted(f.where));
}

// By the packet filter, or the socket: either changed since it spoke.
bool adviser::is_explained(const endpoint& where) const {
    const auto listener = listeners_changed_ms_.find(where.port);
    return is_outdated(where) ||
           (listener != listeners_changed_ms_.end() && book_.find(where)->rehearsed_ms <= listener->second);
}

// Unexplained silence counts only once it is confirmed. What is explained counts at once, and goes on being asked about for
// as long as the other: it may not have been the explanation.
void adviser::believe(const finding& f, const question& q) {
    if (!fell_silent(f))
        silences_.end(f.where);
    else if (!silences_.confirmed(f.where, adaptor_clock_ms()) && !is_explained(f.where))
        return;
    file(f, q);
}

void adviser::file(const finding& f, const question& q) {
    finding filed = f;
    if (!ways_.alike_for_strangers(f.where.local))
        std::memset(filed.result.way_back, 0, sizeof(filed.result.way_back));
    if (book_.given_up(f.where) || !book_.file(filed, q.brought_by_peer, adaptor_clock_ms()))
        return;
    const auto level = q.brought_by_peer ? spdlog::level::debug : spdlog::level::info; // peers write no log
    if (f.result.state == service::served)
        spdlog::log(level, "{}: served", text(f.where));
    else
        spdlog::log(level, "{}: left to the stack: {}", text(f.where), text(f.result.why));
}

// What is on file stays meanwhile; but what dates from before the packet filter changed, not for long.
void adviser::try_again(const finding& f, const question& q) {
    if (is_outdated(f.where) && q.tries + tries_when_outdated <= question{}.tries)
        file(f, q);
    if (q.tries == 0)
        return;
    const bool first = unanswerable_.empty();
    unanswerable_.insert_or_assign(q.where, tried(q));
    if (!first)
        return;
    again_.expires_after(neighbour_wait);
    again_.async_wait([this](std::error_code error) {
        if (error)
            return;
        agenda_.add(std::exchange(unanswerable_, {}));
        go_on();
    });
}

} // namespace vestibule
