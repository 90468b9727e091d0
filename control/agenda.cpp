#include "control/agenda.hpp"

#include <algorithm>

namespace vestibule {

void agenda::add(const questions_by_endpoint& more) {
    for (const auto& [where, q] : more)
        if (waiting_.insert_or_assign(where, q).second)
            order_.push_back(where);
}

void agenda::renew(questions_by_endpoint all) {
    std::erase_if(order_, [&](const endpoint& where) { return !all.contains(where); });
    for (const auto& [where, q] : all)
        if (!waiting_.contains(where))
            order_.push_back(where);
    waiting_ = std::move(all);
}

std::vector<question> agenda::next(std::size_t most) {
    std::vector<question> out;
    for (; out.size() < most && !order_.empty(); order_.pop_front())
        out.push_back(waiting_.extract(order_.front()).mapped());
    return out;
}

} // namespace vestibule
