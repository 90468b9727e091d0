#include "control/adviser.hpp"

#include <unistd.h>

#include <algorithm>
#include <set>

#include <spdlog/spdlog.h>

#include "control/clock.hpp"
#include "control/listeners.hpp"
#include "control/text.hpp"

namespace vestibule {

namespace {

using std::chrono::milliseconds;

constexpr auto settling = milliseconds(30); // changes come in bursts: ask once, when they are through
constexpr auto neighbour_wait = milliseconds(100);
constexpr int neighbour_tries = 20;
constexpr int period_seconds = 30;

bool same_endpoint(const endpoint& a, const endpoint& b) {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
}

bool covered(const std::vector<listening>& listeners, const endpoint& where) {
    return std::any_of(listeners.begin(), listeners.end(),
                       [&](const listening& l) { return l.port == where.port && covers(l, where.local); });
}

} // namespace

adviser::adviser(asio::io_context& io, const programs& loaded, const settings& set, const std::string& instance_name)
    : rehearsal_(loaded, route_, set.rehearsal_token), filter_("vestibule_" + instance_name, set.untracked_mark),
      book_(loaded.adaptor.map("answers")), route_readable_(io), filter_readable_(io), soon_(io), second_(io),
      again_(io) {}

void adviser::start(std::vector<u32> interfaces) {
    interfaces_ = std::move(interfaces);
    ask_all();
    watch(route_readable_, changes_.route_descriptor());
    watch(filter_readable_, changes_.filter_descriptor());
    every_second();
}

void adviser::stop() {
    route_readable_.close();
    filter_readable_.close();
    soon_.cancel();
    second_.cancel();
    again_.cancel();
}

void adviser::watch(asio::posix::stream_descriptor& d, int fd) {
    if (!d.is_open())
        d.assign(dup(fd));
    d.async_wait(asio::posix::stream_descriptor::wait_read, [this, &d, fd](std::error_code error) {
        if (error)
            return;
        if (changes_.drain())
            soon();
        watch(d, fd);
    });
}

void adviser::soon() {
    if (std::exchange(due_, true))
        return;
    soon_.expires_after(settling);
    soon_.async_wait([this](std::error_code error) {
        due_ = false;
        if (!error)
            ask_all();
    });
}

void adviser::every_second() {
    second_.expires_after(std::chrono::seconds(1));
    second_.async_wait([this](std::error_code error) {
        if (error)
            return;
        if (changes_.poll_quiet() || ++seconds_ >= period_seconds)
            ask_all();
        every_second();
    });
}

void adviser::listeners_changed() {
    soon();
}

void adviser::rehearsal_wanted(const event& e) {
    source asking{e.peer, {}, {}};
    std::copy(std::begin(e.link), std::end(e.link), asking.link.begin());
    ask({{e.where, asking}});
}

void adviser::handoff_refused(const endpoint& where) {
    spdlog::error(
        "{}: the host's stack refuses the connections it is handed; this listener is left to the stack from now on",
        text(where));
    book_.give_up(where);
}

// Every listener at every address that frames for it can come to, and whatever else is on file (addresses not our own,
// VLANs).
std::vector<question> adviser::current_questions() {
    const auto listeners = listening_sockets(diagnosis_);
    forget_the_gone(listeners);
    std::vector<question> out = book_.every_question();
    const link_table links(route_);
    for (const local_address& at : local_addresses(route_))
        for (u32 ifindex : interfaces_)
            for (const listening& l : listeners) {
                const link* own = links.by_index(at.ifindex);
                const endpoint where{ifindex, 0, 0, at.ip, l.port, 0};
                if (own == nullptr || own->kind == "vlan" || !links.leads_to(at.ifindex, ifindex) || !covers(l, at.ip))
                    continue;
                const bool there = std::any_of(out.begin(), out.end(),
                                               [&](const question& q) { return same_endpoint(q.where, where); });
                if (!there && !book_.given_up(where))
                    out.push_back({where, std::nullopt});
            }
    std::sort(out.begin(), out.end(),
              [](const question& a, const question& b) { return a.where.ifindex < b.where.ifindex; });
    return out;
}

void adviser::forget_the_gone(const std::vector<listening>& listeners) {
    std::vector<endpoint> gone;
    for (const auto& [where, e] : book_.all())
        if (!covered(listeners, where))
            gone.push_back(where);
    for (const endpoint& where : gone)
        book_.forget(where);
}

void adviser::ask_all() {
    seconds_ = 0;
    unanswerable_.clear();
    ask(current_questions());
}

void adviser::ask(const std::vector<question>& questions) {
    if (questions.empty())
        return;
    const bool nat = filter_.has_nat();
    if (nat)
        filter_.let_marked_pass_untracked();
    const auto findings = rehearsal_.perform(questions, nat);
    for (std::size_t i = 0; i < findings.size(); ++i)
        settle(findings[i], questions[i]);
}

bool adviser::queue_is_full(const endpoint& where) {
    const auto listeners = listening_sockets(diagnosis_);
    return std::any_of(listeners.begin(), listeners.end(), [&](const listening& l) {
        return l.port == where.port && covers(l, where.local) && l.queue_full;
    });
}

void adviser::settle(const finding& f, const question& q) {
    const bool unknown = f.result.why == left_reason::no_source;
    const bool silent = f.result.why == left_reason::no_answer;
    if (f.result.state == service::left && (unknown || (silent && queue_is_full(f.where)))) {
        try_again(q); // a full accept queue keeps a listener silent; what was on file stays
        return;
    }
    if (book_.given_up(f.where) || !book_.file(f, q.asking, adaptor_clock_ms()))
        return;
    if (f.result.state == service::served)
        spdlog::info("{}: served", text(f.where));
    else
        spdlog::info("{}: left to the stack: {}", text(f.where), text(f.result.why));
}

void adviser::try_again(const question& q) {
    unanswerable_.push_back(q);
    if (unanswerable_.size() > 1)
        return;
    again_.expires_after(neighbour_wait);
    again_.async_wait([this](std::error_code error) {
        if (error || unanswerable_.empty())
            return;
        patience_ = patience_ + 1 < neighbour_tries ? patience_ + 1 : 0;
        const auto questions = std::exchange(unanswerable_, {});
        if (patience_ != 0)
            ask(questions);
    });
}

} // namespace vestibule
