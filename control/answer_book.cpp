#include "control/answer_book.hpp"

#include <array>

#include "engine/completion.hpp"

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

void answer_book::write(const endpoint& where, const answer& a) const {
    put(map_, where, a);
}

bool answer_book::file(const finding& f, const std::optional<source>& asking, u64 now_ms) {
    if (entries_.size() >= most_entries && !entries_.contains(f.where))
        return false; // what is not on file is the stack's
    entry& e = entries_[f.where];
    const answer before = e.on_file;
    e.on_file = f.result;
    e.on_file.rehearsed_ms = now_ms;
    e.on_file.former_shift = before.former_shift;
    e.on_file.former_until_ms = before.former_until_ms;
    const u8 shift = before.with_timestamps.shift;
    if (before.state == service::served && shift != f.result.with_timestamps.shift) {
        e.on_file.former_shift = shift; // handshakes under way were promised this
        e.on_file.former_until_ms = now_ms + completions::longest_handshake_ms;
    }
    if (asking)
        e.asking = asking;
    write(f.where, e.on_file);
    return before.rehearsed_ms == 0 || before.state != f.result.state || before.why != f.result.why;
}

void answer_book::forget(const endpoint& where) {
    entries_.erase(where);
    bpf_map_delete_elem(map_, &where);
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
