// What is still to be asked, and in which order. Where changes never end, everything is to be asked anew again and again:
// what waits keeps its place then, and has its turn before what was asked already.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "control/answer_book.hpp"

namespace vestibule {

using questions_by_endpoint = std::map<endpoint, question, endpoint_order>;

class agenda {
public:
    // What waits already keeps its place.
    void add(const questions_by_endpoint& more);
    // Nothing but these is to be asked.
    void renew(questions_by_endpoint all);
    // Takes at most so many off its head.
    [[nodiscard]] std::vector<question> next(std::size_t most);
    [[nodiscard]] bool empty() const { return order_.empty(); }

private:
    std::deque<endpoint> order_;
    questions_by_endpoint waiting_; // the same
};

} // namespace vestibule
