#include "control/clerk.hpp"

#include <algorithm>
#include <cstring>

#include <spdlog/spdlog.h>

#include "control/clock.hpp"
#include "control/text.hpp"

namespace vestibule {

namespace {

constexpr int tries_when_outdated = 5;

question tried(question q) {
    --q.tries;
    return q;
}

bool is_left(const finding& f, left_reason why) {
    return f.result.state == service::left && f.result.why == why;
}

bool is_silent(const finding& f) {
    return is_left(f, left_reason::no_answer);
}

} // namespace

clerk::doubts clerk::take(const std::vector<finding>& findings, std::span<const question> questions) {
    doubts open;
    const bool silence = std::any_of(findings.begin(), findings.end(), is_silent);
    const listener_index full(silence ? full_ones(listening_sockets(diagnosis_)) : std::vector<listening>{});
    for (std::size_t i = 0; i < findings.size(); ++i) {
        const finding& f = findings[i];
        // A full accept queue keeps a listener silent; what was on file stays.
        if (is_left(f, left_reason::no_source) || (is_silent(f) && full.any_at(f.where.local, f.where.port)))
            put_off(f, questions[i], open);
        else if (fell_silent(f) && questions[i].tries == question{}.tries)
            open.at_once.push_back(tried(questions[i]));
        else
            believe(f, questions[i]);
    }
    return open;
}

void clerk::forget(const endpoint& where) {
    book_.forget(where);
    silences_.end(where);
}

bool clerk::is_outdated(const endpoint& where) const {
    const answer* a = book_.find(where);
    return a != nullptr && a->rehearsed_ms < filter_changed_ms_;
}

// Silence towards one peer may be due to a connection of its own from that very port: it is asked once more from
// another. So may a frame be lost, here or in a flood.
bool clerk::fell_silent(const finding& f) const {
    const answer* before = book_.find(f.where);
    return f.silence && before != nullptr && (before->state == service::served || silences_.doubted(f.where));
}

// By the packet filter, or the socket: either changed since it spoke.
bool clerk::is_explained(const endpoint& where) const {
    const auto listener = listeners_changed_ms_.find(where.port);
    return is_outdated(where) ||
           (listener != listeners_changed_ms_.end() && book_.find(where)->rehearsed_ms <= listener->second);
}

// Unexplained silence counts only once it is confirmed. What is explained counts at once, and goes on being asked about for
// as long as the other: it may not have been the explanation.
void clerk::believe(const finding& f, const question& q) {
    if (!fell_silent(f))
        silences_.end(f.where);
    else if (!silences_.confirmed(f.where, adaptor_clock_ms()) && !is_explained(f.where))
        return;
    file(f, q);
}

void clerk::file(const finding& f, const question& q) {
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
void clerk::put_off(const finding& f, const question& q, doubts& open) {
    if (is_outdated(f.where) && q.tries + tries_when_outdated <= question{}.tries)
        file(f, q);
    if (q.tries != 0)
        open.later.push_back(tried(q));
}

} // namespace vestibule
