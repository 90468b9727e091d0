#include "control/sources.hpp"

#include <algorithm>
#include <array>
#include <random>

#include "control/routes.hpp"
#include "control/text.hpp"

namespace vestibule {

namespace {

constexpr std::size_t most_neighbours = 3;
constexpr int strangers_of_a_family = 3;

struct block {
    u32 first;
    u32 bits;
};

// What is nobody's on the public IPv4 internet (RFC 6890, and multicast with all above).
constexpr std::array<block, 14> not_public = {{{0x00000000U, 8},
                                               {0x0a000000U, 8},
                                               {0x64400000U, 10},
                                               {0x7f000000U, 8},
                                               {0xa9fe0000U, 16},
                                               {0xac100000U, 12},
                                               {0xc0000000U, 24},
                                               {0xc0000200U, 24},
                                               {0xc0586300U, 24},
                                               {0xc0a80000U, 16},
                                               {0xc6120000U, 15},
                                               {0xc6336400U, 24},
                                               {0xcb007100U, 24},
                                               {0xe0000000U, 3}}};

bool is_public(u32 v4) {
    return std::none_of(not_public.begin(), not_public.end(),
                        [&](const block& b) { return ((v4 ^ b.first) >> (32 - b.bits)) == 0; });
}

address random_v4(std::random_device& random) {
    u32 drawn = random();
    while (!is_public(drawn))
        drawn = random();
    return {{be32{}, be32{}, mapped_prefix, network(drawn)}};
}

// 2400::/6 and 2a00::/7, without a documentation prefix in them: most of what is given out.
address random_v6(std::random_device& random) {
    const u32 lead =
        (random() & 1U) != 0 ? 0x24000000U | (random() & 0x03ffffffU) : 0x2a000000U | (random() & 0x01ffffffU);
    return {{network(lead), network(random()), network(random()), network(random() | 1U)}};
}

} // namespace

std::vector<address> draw_strangers() {
    std::random_device random;
    std::vector<address> out;
    for (int i = 0; i < strangers_of_a_family; ++i) {
        out.push_back(random_v4(random));
        out.push_back(random_v6(random));
    }
    return out;
}

source_finder::source_finder(netlink& route, std::vector<address> strangers)
    : route_(route), links_(route), neighbours_(neighbours(route)), locals_(local_addresses(route)),
      strangers_(std::move(strangers)) {}

const neighbour* source_finder::known(const address& ip, u32 ifindex) const {
    const auto it = std::find_if(neighbours_.begin(), neighbours_.end(),
                                 [&](const neighbour& n) { return n.ifindex == ifindex && same(n.ip, ip); });
    return it == neighbours_.end() ? nullptr : &*it;
}

std::optional<source> source_finder::reachable(const address& ip, const endpoint& where, const source* asking) {
    const bool mine =
        std::any_of(locals_.begin(), locals_.end(), [&](const local_address& l) { return same(l.ip, ip); });
    const auto back = way(ip, where.local);
    if (mine || !back || links_.by_index(back->ifindex) == nullptr)
        return std::nullopt;
    const auto tags =
        links_.tags_between(back->ifindex, where.ifindex); // whom is answered with others comes with others
    if (!tags || tags->outer != where.outer_vlan || tags->inner != where.inner_vlan)
        return std::nullopt;
    const neighbour* hop = known(back->next_hop, back->ifindex);
    if (hop == nullptr)
        return std::nullopt; // the answer would wait for address resolution, and ask the network for it
    return source{ip, asking != nullptr ? asking->link : hop->link, links_.by_index(back->ifindex)->address, false};
}

std::optional<way_back> source_finder::way(const address& ip, const address& local) {
    auto& known_ways = ways_[local];
    const auto at = known_ways.find(ip);
    return at != known_ways.end() ? at->second : known_ways.emplace(ip, route_to(route_, ip, local)).first->second;
}

std::vector<source> source_finder::neighbours_of(const endpoint& where) {
    std::vector<source> out;
    for (const neighbour& n : neighbours_) {
        if (is_v4(n.ip) != is_v4(where.local) || is_link_local(n.ip) != is_link_local(where.local))
            continue;
        if (const auto s = reachable(n.ip, where, nullptr))
            out.push_back(*s);
        if (out.size() == most_neighbours)
            break;
    }
    return out;
}

std::vector<source> source_finder::for_endpoint(const endpoint& where, const source* asking) {
    std::vector<source> out;
    for (const address& a : strangers_)
        if (is_v4(a) == is_v4(where.local) && !is_link_local(where.local))
            if (const auto s = reachable(a, where, nullptr)) {
                out.push_back(*s);
                out.back().stranger = true;
            }
    const auto near = neighbours_of(where);
    out.insert(out.end(), near.begin(), near.end());
    if (out.empty() && asking != nullptr)
        if (const auto s = reachable(asking->ip, where, asking))
            out.push_back(*s);
    return out;
}

} // namespace vestibule
