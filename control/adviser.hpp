// The adviser keeps the answers on file true: it asks the host's stack when a listener appears, when a peer comes to an
// endpoint not asked about yet, when anything changes that an answer depends on, and every half minute.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <set>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "abi/event.hpp"
#include "control/agenda.hpp"
#include "control/clerk.hpp"
#include "control/listeners.hpp"
#include "control/pace.hpp"
#include "control/packet_filter.hpp"
#include "control/refusals.hpp"
#include "control/watch.hpp"
#include "control/ways.hpp"

namespace vestibule {

class adviser {
public:
    adviser(asio::io_context& io, const programs& loaded, const settings& set, const std::string& instance_name);

    // Asks about every listener reachable through these interfaces, now; then keeps asking. Runs in the io_context's
    // thread.
    void start(std::vector<u32> interfaces);
    void stop();

    void rehearsal_wanted(const event& e);
    void listeners_changed(be16 port);
    void handoff_refused(const endpoint& where);

    [[nodiscard]] const answer_book& book() const { return book_; }

private:
    pace::clock::duration work(const std::function<void()>& what);
    void ask_everything();
    void neighbours_changed();
    void filter_changed();
    void heed_nat();
    void soon();
    void every_tick();
    void ask_the_flooded();
    void ask_the_silent();
    void forgive();
    void ask_what_is_due();
    void go_on();
    void next_slice();
    void ask(const std::vector<question>& questions);
    void settle(const std::vector<finding>& findings, const std::vector<question>& questions);
    void forget_the_gone(const listener_index& listeners, const std::vector<local_address>& addresses);
    void try_later(const std::vector<question>& questions);
    void rest_later();
    [[nodiscard]] bool is_ours(const address& a);
    [[nodiscard]] questions_by_endpoint due_questions();
    void add_own(questions_by_endpoint& due, const listener_index& listeners,
                 const std::vector<local_address>& addresses) const;
    [[nodiscard]] bool is_due(const endpoint& where) const {
        return (everything_ || ports_.contains(where.port)) && !book_.given_up(where);
    }

    netlink route_{NETLINK_ROUTE};
    netlink diagnosis_{NETLINK_SOCK_DIAG};
    rehearsal rehearsal_;
    packet_filter filter_;
    answer_book book_;
    ways ways_;
    clerk clerk_{book_, ways_, diagnosis_};
    watch watch_;
    std::vector<u32> interfaces_;
    asio::steady_timer soon_;
    asio::steady_timer tick_;
    asio::steady_timer again_;
    asio::steady_timer rest_;
    asio::steady_timer slice_;

    // What is to be asked when the moment comes.
    bool due_ = false;
    bool everything_ = false;
    std::set<be16> ports_;
    std::vector<question> wanted_;
    std::map<address, bool, address_order> ours_; // of the addresses of SYNs since
    agenda agenda_;
    bool going_on_ = false;
    questions_by_endpoint unanswerable_; // nobody known yet to ask on behalf of
    pace pace_;

    bool nat_ = false;
    bool markable_ = false;
    bool failed_ = false; // the last rehearsal
    int ticks_ = 0;
    u64 nat_appeared_ms_ = 0; // adaptor clock
    pace::clock::time_point asked_;
    refusals refusals_;
};

} // namespace vestibule
