#include "control/answer_book.hpp"

#include <array>

#include "control/bpf_object.hpp"
#include "control/succession.hpp"

namespace vestibule {

namespace {

constexpr std::size_t most_entries = 65000; // the map (bpf/maps.hpp) has room for a few more

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

bool answer_book::file(const finding& f, const std::optional<source>& asking, u64 now_ms) {
    if (entries_.size() >= most_entries && !entries_.contains(f.where))
        return false; // what is not on file is the stack's
    entry& e = entries_[f.where];
    const answer before = e.on_file;
    e.on_file = succeed(f.result, before, now_ms);
    e.on_file.rehearsed_ms = now_ms;
    if (asking)
        e.asking = asking;
    write(f.where, e.on_file);
    return before.rehearsed_ms == 0 || before.state != f.result.state || before.why != f.result.why;
}

void answer_book::forget(const endpoint& where) {
    entries_.erase(where);
    bpf_map_delete_elem(answers_, &where);
    publish();
}

void answer_book::give_up(const endpoint& where) {
    answer& a = entries_[where].on_file;
    a.state = service::left;
    a.why = left_reason::handoff_refused;
    write(where, a);
}

void answer_book::forgive() {
    std::vector<endpoint> out;
    for (const auto& [where, e] : entries_)
        if (given_up(where))
            out.push_back(where);
    for (const endpoint& where : out)
        forget(where);
}

void answer_book::hand_over_untracked() {
    for (auto& [where, e] : entries_)
        if (e.on_file.state == service::served &&
            std::exchange(e.on_file.form, handoff_form::untracked) != e.on_file.form)
            write(where, e.on_file);
}

bool answer_book::given_up(const endpoint& where) const {
    const auto it = entries_.find(where);
    return it != entries_.end() && it->second.on_file.state == service::left &&
           it->second.on_file.why == left_reason::handoff_refused;
}

std::vector<question> answer_book::every_question() const {
    std::vector<question> out;
    for (const auto& [where, e] : entries_)
        if (!given_up(where))
            out.push_back({where, e.asking});
    return out;
}

} // namespace vestibule
