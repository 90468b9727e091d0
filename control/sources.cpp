#include "control/sources.hpp"

#include <algorithm>
#include <array>
#include <random>

#include "control/text.hpp"

namespace vestibule {

namespace {

constexpr std::size_t most_neighbours = 3;
constexpr std::size_t most_sources = 7;

address v4(u32 value) {
    return {{be32{}, be32{}, mapped_prefix, network(value)}};
}

// Three of public address space: one fixed, two drawn anew each time, so that a filter by origin shows itself sooner or
// later. No frame that bears them ever leaves this machine.
std::vector<address> public_addresses(bool v6) {
    static thread_local std::mt19937 random{std::random_device{}()};
    std::vector<address> out;
    constexpr std::array<u32, 6> blocks = {5, 23, 45, 80, 151, 203}; // first octets in public use on every continent
    if (v6) {
        out.push_back({{network(0x2a000000U), network(0x12340000U), be32{}, network(1U)}});
        for (int i = 0; i < 2; ++i)
            out.push_back({{network(static_cast<u32>(0x20000000U | (random() & 0x0fffffffU))),
                            network(static_cast<u32>(random())), be32{}, network(static_cast<u32>(random() | 1U))}});
        return out;
    }
    out.push_back(v4(0x08080404U));
    for (int i = 0; i < 2; ++i)
        out.push_back(v4(static_cast<u32>(blocks.at(random() % blocks.size()) << 24 | (random() & 0x00fffffeU) | 1U)));
    return out;
}

bool link_scope(const address& a) {
    return !is_v4(a) && (host(a.word[0]) >> 22) == (0xfe800000U >> 22);
}

} // namespace

source_finder::source_finder(netlink& route)
    : route_(route), links_(route), neighbours_(neighbours(route)), locals_(local_addresses(route)) {}

const neighbour* source_finder::known(const address& ip, u32 ifindex) const {
    const auto it = std::find_if(neighbours_.begin(), neighbours_.end(),
                                 [&](const neighbour& n) { return n.ifindex == ifindex && same(n.ip, ip); });
    return it == neighbours_.end() ? nullptr : &*it;
}

std::optional<source> source_finder::reachable(const address& ip, const endpoint& where, const source* asking) {
    const bool mine =
        std::any_of(locals_.begin(), locals_.end(), [&](const local_address& l) { return same(l.ip, ip); });
    const auto back = route_to(route_, ip, where.local);
    if (mine || !back || links_.by_index(back->ifindex) == nullptr || !links_.leads_to(back->ifindex, where.ifindex))
        return std::nullopt;
    const neighbour* hop = known(back->next_hop, back->ifindex);
    if (hop == nullptr)
        return std::nullopt; // the answer would wait for address resolution, and ask the network for it
    return source{ip, asking != nullptr ? asking->link : hop->link, links_.by_index(back->ifindex)->address};
}

std::vector<source> source_finder::for_endpoint(const endpoint& where, const source* asking) {
    const bool v6 = !is_v4(where.local);
    std::vector<source> out;
    const auto take = [&](const address& ip, const source* from) {
        const bool twice = std::any_of(out.begin(), out.end(), [&](const source& s) { return same(s.ip, ip); });
        if (is_v4(ip) == v6 || twice || out.size() >= most_sources || link_scope(ip) != link_scope(where.local))
            return;
        if (auto s = reachable(ip, where, from))
            out.push_back(*s);
    };
    if (asking != nullptr)
        take(asking->ip, asking);
    for (const neighbour& n : neighbours_)
        if (out.size() < most_neighbours + 1)
            take(n.ip, nullptr);
    if (!link_scope(where.local))
        for (const address& a : public_addresses(v6))
            take(a, nullptr);
    return out;
}

} // namespace vestibule
