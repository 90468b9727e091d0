// The answers on file: what rehearsals found, kept here for people and written to the map for the datapath.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/rehearsal.hpp"

namespace vestibule {

struct endpoint_order {
    bool operator()(const endpoint& a, const endpoint& b) const { return std::memcmp(&a, &b, sizeof(a)) < 0; }
};

struct entry {
    answer on_file;
    std::optional<source> asking; // the peer whose SYN made us ask, if one did
};

class answer_book {
public:
    // Maps of the datapath (bpf/maps.hpp): the answers, and the editions that the datapath knows them by.
    // Answers that stand there already are an earlier run's: on file, until the next rehearsal says otherwise.
    answer_book(int answers, int editions);

    // Files a finding. Tells whether the endpoint's service changed, for the log.
    bool file(const finding& f, const std::optional<source>& asking, u64 now_ms);
    void forget(const endpoint& where);
    // The handoff gave this endpoint back to the stack: stays so until forgiven.
    void give_up(const endpoint& where);
    void forgive();
    // From now on, wherever the tracked form was found to do.
    void hand_over_untracked();

    [[nodiscard]] bool given_up(const endpoint& where) const;
    [[nodiscard]] const std::map<endpoint, entry, endpoint_order>& all() const { return entries_; }
    [[nodiscard]] std::vector<question> every_question() const;

private:
    void write(const endpoint& where, const answer& a);
    void publish();

    int answers_;
    int editions_;
    u64 changes_ = 0;
    std::map<endpoint, entry, endpoint_order> entries_;
};

const char* text(left_reason why);

} // namespace vestibule
