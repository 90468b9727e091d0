// The clerk files what rehearsals found: at once where it is plain, and what may be an accident only when it is found again.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "control/answer_book.hpp"
#include "control/listeners.hpp"
#include "control/silences.hpp"
#include "control/ways.hpp"

namespace vestibule {

class clerk {
public:
    clerk(answer_book& book, const ways& back, netlink& diagnosis) : book_(book), ways_(back), diagnosis_(diagnosis) {}

    // What the findings leave open.
    struct doubts {
        std::vector<question> at_once; // to be asked again before anything is believed
        std::vector<question> later;   // nobody to ask on behalf of yet, or a full accept queue
    };
    // Files what can be; questions[i] is what findings[i] answers.
    doubts take(const std::vector<finding>& findings, std::span<const question> questions);

    // Any of these may be why a listener fell silent.
    void filter_changed(u64 now_ms) { filter_changed_ms_ = now_ms; }
    void listeners_changed(be16 port, u64 now_ms) { listeners_changed_ms_[port] = now_ms; }
    [[nodiscard]] u64 filter_changed_ms() const { return filter_changed_ms_; } // adaptor clock

    void forget(const endpoint& where);
    [[nodiscard]] const silences& unexplained() const { return silences_; }

private:
    [[nodiscard]] bool is_outdated(const endpoint& where) const;
    [[nodiscard]] bool fell_silent(const finding& f) const;
    [[nodiscard]] bool is_explained(const endpoint& where) const;
    void believe(const finding& f, const question& q);
    void file(const finding& f, const question& q);
    void put_off(const finding& f, const question& q, doubts& open);

    answer_book& book_;
    const ways& ways_;
    netlink& diagnosis_;
    u64 filter_changed_ms_ = 0;
    std::map<be16, u64> listeners_changed_ms_; // of each port, the same
    silences silences_;
};

} // namespace vestibule
