#include <gtest/gtest.h>

#include "control/agenda.hpp"
#include "test/control/endpoints.hpp"

namespace vestibule {

namespace {

questions_by_endpoint about(std::initializer_list<u16> ports) {
    questions_by_endpoint out;
    for (u16 port : ports)
        out.emplace(endpoint_at(port), question{endpoint_at(port), std::nullopt});
    return out;
}

std::vector<u16> ports_of(const std::vector<question>& questions) {
    std::vector<u16> out;
    for (const question& q : questions)
        out.push_back(host(q.where.port));
    return out;
}

using ports = std::vector<u16>;

} // namespace

TEST(agenda, hands_out_each_question_once) {
    agenda a;
    a.add(about({1, 2, 3}));
    EXPECT_EQ(ports_of(a.next(2)), (ports{1, 2}));
    EXPECT_EQ(ports_of(a.next(2)), (ports{3}));
    EXPECT_TRUE(a.empty());
}

TEST(agenda, what_waits_has_its_turn_before_what_was_asked_though_all_is_due_anew) {
    agenda a;
    a.renew(about({1, 2, 3, 4, 5}));
    EXPECT_EQ(ports_of(a.next(2)), (ports{1, 2}));
    a.renew(about({1, 2, 3, 4, 5}));
    EXPECT_EQ(ports_of(a.next(2)), (ports{3, 4}));
    a.renew(about({1, 2, 3, 4, 5}));
    EXPECT_EQ(ports_of(a.next(5)), (ports{5, 1, 2, 3, 4}));
}

TEST(agenda, what_is_not_due_any_more_is_not_asked) {
    agenda a;
    a.add(about({1, 2, 3}));
    a.renew(about({3, 4}));
    EXPECT_EQ(ports_of(a.next(9)), (ports{3, 4}));
}

TEST(agenda, a_question_that_comes_again_is_put_once_in_its_newest_form) {
    agenda a;
    a.add(about({1, 2}));
    questions_by_endpoint newer = about({1});
    newer.begin()->second.tries = 7;
    a.add(newer);
    const auto asked = a.next(9);
    EXPECT_EQ(ports_of(asked), (ports{1, 2}));
    EXPECT_EQ(asked.front().tries, 7);
}

} // namespace vestibule
