// The ways back to peers, as the host's routes and neighbours tell them: published for the adaptor, which keeps to them.
#pragma once

#include <map>
#include <vector>

#include "abi/way.hpp"
#include "control/neighbourhood.hpp"
#include "control/routes.hpp"

namespace vestibule {

struct way_key_order {
    bool operator()(const way_key& a, const way_key& b) const { return std::memcmp(&a, &b, sizeof(a)) < 0; }
};
using way_table = std::map<way_key, way, way_key_order>;

class ways {
public:
    // `map` is that of bpf/ways.hpp.
    ways(netlink& kernel, int map) : kernel_(kernel), map_(map), links_(kernel) {}

    // Looks at everything anew, for frames that arrive on these interfaces.
    void renew(const std::vector<u32>& interfaces);
    // Looks at the neighbours anew. True: the way by some gateway is another than before.
    bool renew_neighbours();

    // Whether frames for this host may arrive on that interface under these identifiers.
    [[nodiscard]] bool come_so(u32 ifindex, tags vlan) const;
    [[nodiscard]] const link_table& links() const { return links_; }

    // Whether all strangers to `local` are answered by the way that some of them are.
    [[nodiscard]] bool alike_for_strangers(const address& local) const;

private:
    // How frames arrive that a way back is wanted for.
    struct arrival {
        u32 ifindex;
        tags vlan;
    };

    struct hop_order {
        bool operator()(const way_back& a, const way_back& b) const { return std::memcmp(&a, &b, sizeof(a)) < 0; }
    };
    using acquaintances = std::map<way_back, link_address, hop_order>;

    [[nodiscard]] acquaintances look_around() const;
    void find_arrivals(const std::vector<u32>& interfaces);
    [[nodiscard]] bool leaves_as(u32 ifindex, const arrival& a) const;
    [[nodiscard]] way by_route(const route& r, const arrival& a) const;
    [[nodiscard]] way_table by_routes() const;
    void add_neighbours(way_table& table) const;
    bool follow();
    void publish(way_table next);
    void withdraw_all_but(const way_table& wanted);

    netlink& kernel_;
    int map_;
    link_table links_;
    routing routing_;
    std::vector<arrival> arrivals_;
    acquaintances known_;
    way_table by_routes_;
    way_table published_;
    bool too_many_ = false;
};

} // namespace vestibule
