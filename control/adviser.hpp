// The adviser keeps the answers on file true: it asks the host's stack when a listener appears, when a peer comes to an
// endpoint not asked about yet, when anything changes that an answer depends on, and every half minute.
#pragma once

#include <functional>

#include <asio.hpp>

#include "abi/event.hpp"
#include "control/answer_book.hpp"
#include "control/changes.hpp"
#include "control/packet_filter.hpp"

namespace vestibule {

class adviser {
public:
    adviser(asio::io_context& io, const programs& loaded, const settings& set, const std::string& instance_name);

    // Asks about every listener reachable through these interfaces, now; then keeps asking. Runs in the io_context's thread.
    void start(std::vector<u32> interfaces);
    void stop();

    void rehearsal_wanted(const event& e);
    void listeners_changed();
    void handoff_refused(const endpoint& where);

    [[nodiscard]] const answer_book& book() const { return book_; }

private:
    void watch(asio::posix::stream_descriptor& d, int fd);
    void soon();
    void every_second();
    void ask_all();
    void ask(const std::vector<question>& questions);
    void settle(const finding& f, const question& q);
    void forget_the_gone(const std::vector<struct listening>& listeners);
    void try_again(const question& q);
    [[nodiscard]] std::vector<question> current_questions();
    [[nodiscard]] bool queue_is_full(const endpoint& where);

    netlink route_{NETLINK_ROUTE};
    netlink diagnosis_{NETLINK_SOCK_DIAG};
    rehearsal rehearsal_;
    packet_filter filter_;
    answer_book book_;
    changes changes_;
    std::vector<u32> interfaces_;
    asio::posix::stream_descriptor route_readable_;
    asio::posix::stream_descriptor filter_readable_;
    asio::steady_timer soon_;
    asio::steady_timer second_;
    asio::steady_timer again_;
    bool due_ = false;
    int seconds_ = 0;
    int patience_ = 0;
    std::vector<question> unanswerable_; // nobody known yet to ask on behalf of
};

} // namespace vestibule
