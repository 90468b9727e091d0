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
    u64 visit = 0; // which of the endpoints that peers' SYNs alone brought; 0: none of them
};

class answer_book {
public:
    // Maps of the datapath (bpf/maps.hpp): the answers, and the editions that the datapath knows them by.
    // Answers that stand there already are an earlier run's: on file, until the next rehearsal says otherwise.
    answer_book(int answers, int editions);

    // Files a finding. Tells whether the endpoint's service changed, for the log. What peers' SYNs alone brought finds less
    // room than the listeners that we find ourselves: the oldest makes way for the newest.
    bool file(const finding& f, bool brought_by_peer, u64 now_ms);
    void forget(const endpoint& where);
    // The handoff gave this endpoint back to the stack: stays so until forgotten.
    void give_up(const endpoint& where);
    // From now on, wherever the tracked form was found to do.
    void hand_over_untracked();

    [[nodiscard]] const answer* find(const endpoint& where) const; // null: nothing on file
    [[nodiscard]] bool given_up(const endpoint& where) const;
    [[nodiscard]] std::vector<endpoint> all_given_up() const;
    [[nodiscard]] question question_about(const endpoint& where) const;
    [[nodiscard]] const std::map<endpoint, entry, endpoint_order>& all() const { return entries_; }

private:
    void take_note(const endpoint& where, entry& e, bool brought_by_peer);
    void write(const endpoint& where, const answer& a);
    void publish();

    int answers_;
    int editions_;
    u64 changes_ = 0;
    u64 visits_ = 0;
    bool full_ = false; // and it was said
    std::map<endpoint, entry, endpoint_order> entries_;
    std::map<u64, endpoint> visitors_; // those that peers' SYNs alone brought, the oldest first
};

const char* text(left_reason why);

} // namespace vestibule
