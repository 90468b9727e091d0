#include "control/sources.hpp"

#include <algorithm>
#include <array>
#include <random>

#include "control/routes.hpp"
#include "control/text.hpp"

namespace vestibule {

namespace {

constexpr std::size_t most_neighbours = 3;

address v4(u32 value) {
    return {{be32{}, be32{}, mapped_prefix, network(value)}};
}

address random_v4(std::mt19937& random) {
    constexpr std::array<u32, 6> blocks = {5, 23, 45, 80, 151, 203}; // first octets in public use on every continent
    return v4(static_cast<u32>(blocks.at(random() % blocks.size()) << 24 | (random() & 0x00fffffeU) | 1U));
}

address random_v6(std::mt19937& random) {
    const auto word = [&] { return static_cast<u32>(random()); };
    return {{network(0x20000000U | (word() & 0x0fffffffU)), network(word()), be32{}, network(word() | 1U)}};
}

// Three of each family's public address space: one fixed, two drawn anew each time, so that a filter by origin shows
// itself sooner or later. No frame that bears them ever leaves this machine.
std::vector<address> public_addresses() {
    static thread_local std::mt19937 random{std::random_device{}()};
    return {v4(0x08080404U),   random_v4(random),
            random_v4(random), {{network(0x2a000000U), network(0x12340000U), be32{}, network(1U)}},
            random_v6(random), random_v6(random)};
}

} // namespace

source_finder::source_finder(netlink& route)
    : route_(route), links_(route), neighbours_(neighbours(route)), locals_(local_addresses(route)),
      strangers_(public_addresses()) {}

const neighbour* source_finder::known(const address& ip, u32 ifindex) const {
    const auto it = std::find_if(neighbours_.begin(), neighbours_.end(),
                                 [&](const neighbour& n) { return n.ifindex == ifindex && same(n.ip, ip); });
    return it == neighbours_.end() ? nullptr : &*it;
}

std::optional<source> source_finder::reachable(const address& ip, const endpoint& where, const source* asking) {
    const bool mine =
        std::any_of(locals_.begin(), locals_.end(), [&](const local_address& l) { return same(l.ip, ip); });
    const auto back = way(ip, where.local);
    if (mine || !back || links_.by_index(back->ifindex) == nullptr || !links_.leads_to(back->ifindex, where.ifindex))
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

std::vector<address> source_finder::neighbours_of(const endpoint& where) const {
    std::vector<address> out;
    for (const neighbour& n : neighbours_)
        if (is_v4(n.ip) == is_v4(where.local) && is_link_local(n.ip) == is_link_local(where.local))
            out.push_back(n.ip);
    if (out.size() > most_neighbours)
        out.resize(most_neighbours);
    return out;
}

std::vector<source> source_finder::for_endpoint(const endpoint& where, const source* asking) {
    std::vector<source> out;
    const auto take = [&](const std::optional<source>& s, bool stranger) {
        if (!s)
            return;
        out.push_back(*s);
        out.back().stranger = stranger;
    };
    for (const address& a : strangers_)
        if (is_v4(a) == is_v4(where.local) && !is_link_local(where.local))
            take(reachable(a, where, nullptr), true);
    if (asking != nullptr)
        take(reachable(asking->ip, where, asking), false);
    for (const address& a : neighbours_of(where))
        if (asking == nullptr || !same(a, asking->ip))
            take(reachable(a, where, nullptr), false);
    return out;
}

} // namespace vestibule
