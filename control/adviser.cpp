#include "control/adviser.hpp"

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
constexpr milliseconds neighbour_wait{100};
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

} // namespace

adviser::adviser(asio::io_context& io, const programs& loaded, const settings& set, const std::string& instance_name)
    : rehearsal_(loaded, route_, set.rehearsal_token), filter_("vestibule_" + instance_name, set.untracked_mark),
      book_(loaded.map("answers"), loaded.map("editions")), ways_(route_, loaded.map("ways")),
      watch_(io, {.routes = [this] { ask_everything(); },
                  .filter = [this] { filter_changed(); },
                  .neighbours = [this] { neighbours_changed(); },
                  .guarded = [this](const watch::look& what) { return work(what); }}),
      soon_(io), tick_(io), again_(io), rest_(io), slice_(io) {}

void adviser::start(std::vector<u32> interfaces) {
    interfaces_ = std::move(interfaces);
    const link_table links(route_);
    for (u32 ifindex : interfaces_)
        if (const link* l = links.by_index(ifindex); l != nullptr)
            watch_.heed(l->name);
    for (const endpoint& where : book_.all_given_up()) // in an earlier run
        refusals_.is_final(where, false, adaptor_clock_ms());
    everything_ = true;
    ask_what_is_due();
    while (!agenda_.empty()) // whoever is told that we are ready finds all listeners served
        next_slice();
    pace_ = {}; // there was nothing else to do
    watch_.begin();
    every_tick();
}

// The hook stays for as long as the stack may still speak.
void adviser::stop() {
    watch_.end();
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
pace::clock::duration adviser::work(const std::function<void()>& what) {
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

void adviser::ask_everything() {
    everything_ = true;
    soon();
}

// What neighbours tell of the ways is published, and only the gateways' own are reason to ask anew.
void adviser::neighbours_changed() {
    if (ways_.renew_neighbours())
        ask_everything();
}

// Who replaces a ruleset takes our one rule along, and with the first NAT rule every connection handed over in the tracked
// form is reset: both are mended at once, before anything is asked. A handoff that was refused may be taken now.
void adviser::filter_changed() {
    clerk_.filter_changed(adaptor_clock_ms());
    refusals_.filter_changed();
    forgive();
    ask_everything();
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
            if (watch_.filter_changed_quietly())
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
    for (const endpoint& where : clerk_.unexplained().all_doubted())
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
    clerk_.listeners_changed(port, adaptor_clock_ms());
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
        if (watch_.filter_changed_quietly() || filter_.has_nat() != nat_)
            filter_changed();
    });
    const u64 now = adaptor_clock_ms();
    // What was handed over tracked when NAT rules came says nothing of the listener.
    const bool by_nat = now - nat_appeared_ms_ < filter_settles_ms;
    if (by_nat || !refusals_.is_final(where, now - clerk_.filter_changed_ms() < filter_settles_ms, now)) {
        ask_everything();
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
    for (const endpoint& where : gone)
        clerk_.forget(where);
}

void adviser::ask_what_is_due() {
    const auto spent = work([this] {
        if (everything_)
            ways_.renew(interfaces_);
        auto due = due_questions();
        if (everything_) {
            if (clerk_.unexplained().empty()) // else those who met silence listen again
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
    const clerk::doubts open = clerk_.take(findings, questions);
    try_later(open.later);
    if (!open.at_once.empty())
        settle(rehearsal_.perform(open.at_once, nat_, markable_), open.at_once);
}

void adviser::try_later(const std::vector<question>& questions) {
    const bool waits = !unanswerable_.empty();
    for (const question& q : questions)
        unanswerable_.insert_or_assign(q.where, q);
    if (waits || questions.empty())
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
