#include "control/answer_book.hpp"

#include <array>
#include <utility>

#include <spdlog/spdlog.h>

#include "control/bpf_object.hpp"
#include "control/succession.hpp"

namespace vestibule {

namespace {

constexpr std::size_t most_entries = 65000; // the map (bpf/maps.hpp) has room for a few more
constexpr std::size_t most_visitors = 4096;

} // namespace

const char* text(left_reason why) {
    static constexpr std::array texts = {
#define LEFT(name, help) help,
#include "abi/left.def"
#undef LEFT
    };
    return texts.at(static_cast<std::size_t>(why));
}

answer_book::answer_book(int answers, int editions) : answers_(answers), editions_(editions) {
    for_each<endpoint, answer>(answers_, [&](const endpoint& where, const answer& a) { entries_[where].on_file = a; });
}

void answer_book::write(const endpoint& where, const answer& a) {
    put(answers_, where, a);
    publish();
}

// What the datapath remembers of earlier answers no longer holds.
void answer_book::publish() {
    put(editions_, u32{0}, ++changes_);
}

// What is not on file is the stack's.
bool answer_book::file(const finding& f, bool brought_by_peer, u64 now_ms) {
    if (entries_.size() >= most_entries && !entries_.contains(f.where)) {
        if (!std::exchange(full_, true))
            spdlog::warn("{} listeners are on file, and there is no room for more: all others are left to the stack",
                         entries_.size());
        return false;
    }
    entry& e = entries_[f.where];
    const answer before = e.on_file;
    e.on_file = succeed(f.result, before, now_ms);
    e.on_file.rehearsed_ms = now_ms;
    write(f.where, e.on_file);
    take_note(f.where, e, brought_by_peer);
    return before.rehearsed_ms == 0 || before.state != f.result.state || before.why != f.result.why;
}

void answer_book::take_note(const endpoint& where, entry& e, bool brought_by_peer) {
    if (brought_by_peer == (e.visit != 0))
        return;
    if (!brought_by_peer) {
        visitors_.erase(std::exchange(e.visit, 0));
        return;
    }
    e.visit = ++visits_;
    visitors_[e.visit] = where;
    if (visitors_.size() > most_visitors)
        forget(visitors_.begin()->second);
}

void answer_book::forget(const endpoint& where) {
    if (const auto at = entries_.find(where); at != entries_.end()) {
        visitors_.erase(at->second.visit);
        entries_.erase(at);
    }
    bpf_map_delete_elem(answers_, &where);
    publish();
}

void answer_book::give_up(const endpoint& where) {
    answer& a = entries_[where].on_file;
    a.state = service::left;
    a.why = left_reason::handoff_refused;
    write(where, a);
}

void answer_book::hand_over_untracked() {
    for (auto& [where, e] : entries_) {
        answer& a = e.on_file;
        if (a.state != service::served || a.form == handoff_form::untracked)
            continue;
        a.form = handoff_form::untracked;
        a.tracked = 1; // NAT brings connection tracking along
        write(where, a);
    }
}

const answer* answer_book::find(const endpoint& where) const {
    const auto at = entries_.find(where);
    return at == entries_.end() ? nullptr : &at->second.on_file;
}

question answer_book::question_about(const endpoint& where) const {
    const auto at = entries_.find(where);
    return {where, std::nullopt, at != entries_.end() && at->second.visit != 0};
}

bool answer_book::given_up(const endpoint& where) const {
    const answer* a = find(where);
    return a != nullptr && a->state == service::left && a->why == left_reason::handoff_refused;
}

std::vector<endpoint> answer_book::all_given_up() const {
    std::vector<endpoint> out;
    for (const auto& [where, e] : entries_)
        if (given_up(where))
            out.push_back(where);
    return out;
}

} // namespace vestibule
