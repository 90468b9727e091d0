// What the kernel lists: a list that does not come is a failure, never an empty one, or all answers on file would go.
#include <gtest/gtest.h>

#include <linux/netlink.h>

#include "control/failure.hpp"
#include "control/listeners.hpp"
#include "control/neighbourhood.hpp"
#include "control/routes.hpp"

namespace vestibule {

namespace {

struct listings : testing::Test {
    netlink deaf{NETLINK_USERSOCK}; // the kernel answers nothing there
    netlink route{NETLINK_ROUTE};
    netlink diagnosis{NETLINK_SOCK_DIAG};
};

} // namespace

TEST_F(listings, one_that_does_not_come_is_a_failure) {
    EXPECT_THROW((void)listening_sockets(deaf), failure);
    EXPECT_THROW((void)local_addresses(deaf), failure);
    EXPECT_THROW((void)neighbours(deaf), failure);
    EXPECT_THROW((void)read_routing(deaf), failure);
    EXPECT_THROW(link_table{deaf}, failure);
}

TEST_F(listings, one_that_comes_is_none) {
    EXPECT_NO_THROW((void)listening_sockets(diagnosis));
    EXPECT_NO_THROW((void)local_addresses(route));
    EXPECT_NO_THROW((void)neighbours(route));
    EXPECT_NO_THROW((void)read_routing(route));
    EXPECT_FALSE(link_table(route).all().empty());
}

} // namespace vestibule
