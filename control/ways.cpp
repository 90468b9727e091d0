#include "control/ways.hpp"

#include <algorithm>
#include <bitset>
#include <utility>

#include <spdlog/spdlog.h>

#include "control/bpf_object.hpp"

namespace vestibule {

namespace {

constexpr std::size_t most_ways = 60000;
constexpr std::size_t room = 65536; // in the map (bpf/ways.hpp)
constexpr u32 whole_address = 128;
constexpr u32 mapped_bits = 96;

way_key key_for(u32 ifindex, tags vlan, const address& peer, u32 length) {
    return {way_key_lead + length, ifindex, vlan.outer, vlan.inner, peer};
}

bool alike(const way& a, const way& b) {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
}

way by_station(const link_address& station) {
    way w{{}, way_kind::by_station, 0};
    std::memcpy(w.station, station.data(), sizeof(w.station));
    return w;
}

address prefix_of(address a, u32 length) {
    for (u32 i = 0; i < 4; ++i) {
        const u32 bits = std::clamp<u32>(length, 32 * i, 32 * i + 32) - 32 * i;
        const u32 mask = bits == 0 ? 0 : ~0U << (32 - bits);
        a.word[i] = network(host(a.word[i]) & mask);
    }
    return a;
}

using prefix_lengths = std::bitset<whole_address + 1>;

// `lengths` are those of the prefixes in the table.
way_kind longest_match(const way_table& table, const prefix_lengths& lengths, way_key key) {
    const address peer = key.peer;
    for (u32 length = whole_address + 1; length-- > 0;) {
        if (!lengths[length])
            continue;
        key.prefix_length = way_key_lead + length;
        key.peer = prefix_of(peer, length);
        if (const auto at = table.find(key); at != table.end())
            return at->second.kind;
    }
    return way_kind::unknown;
}

bool same_neighbour(const std::pair<const way_back, link_address>& a,
                    const std::pair<const way_back, link_address>& b) {
    return a.first.ifindex == b.first.ifindex && same(a.first.next_hop, b.first.next_hop) && a.second == b.second;
}

} // namespace

void ways::renew(const std::vector<u32>& interfaces) {
    links_ = link_table(kernel_);
    routing_ = read_routing(kernel_);
    find_arrivals(interfaces);
    known_ = look_around();
    follow();
}

// Most news of neighbours is that they are still there.
bool ways::renew_neighbours() {
    auto now = look_around();
    if (std::equal(now.begin(), now.end(), known_.begin(), known_.end(), same_neighbour))
        return false;
    known_ = std::move(now);
    return follow();
}

ways::acquaintances ways::look_around() const {
    acquaintances out;
    for (const neighbour& n : neighbours(kernel_))
        out[{n.ifindex, n.ip}] = n.link;
    return out;
}

bool ways::follow() {
    const way_table before = std::exchange(by_routes_, by_routes());
    way_table all = by_routes_;
    add_neighbours(all);
    publish(std::move(all));
    return !std::equal(before.begin(), before.end(), by_routes_.begin(), by_routes_.end(),
                       [](const auto& a, const auto& b) {
                           return std::memcmp(&a.first, &b.first, sizeof(a.first)) == 0 && alike(a.second, b.second);
                       });
}

// Peers on the links themselves are no strangers. Under rules of the administrator's own only the stack can tell; what it
// told of some strangers then holds for all, as far as anybody knows.
bool ways::alike_for_strangers(const address& local) const {
    const bool v4 = is_v4(local);
    if (v4 ? routing_.v4_ruled : routing_.v6_ruled)
        return true;
    const route* usual = nullptr;
    for (const route& r : routing_.routes) // the default route comes before the others
        if (is_v4_prefix(r) == v4 && is_default(r))
            usual = &r;
    return usual != nullptr && std::all_of(routing_.routes.begin(), routing_.routes.end(), [&](const route& r) {
               const bool connected = r.plain && !r.gateway;
               const bool usual_way = r.plain && r.gateway && usual->gateway && r.ifindex == usual->ifindex &&
                                      same(*r.gateway, *usual->gateway);
               return is_v4_prefix(r) != v4 || connected || usual_way;
           });
}

// Untagged, and with the identifiers of each VLAN interface above.
void ways::find_arrivals(const std::vector<u32>& interfaces) {
    arrivals_.clear();
    for (u32 ifindex : interfaces) {
        std::vector<tags> found{{0, 0}};
        for (const link& l : links_.all())
            if (const auto vlan = links_.tags_between(l.index, ifindex); vlan && (vlan->outer | vlan->inner) != 0)
                found.push_back(*vlan);
        for (const tags& vlan : found)
            arrivals_.push_back({ifindex, vlan});
    }
}

bool ways::come_so(u32 ifindex, tags vlan) const {
    return std::any_of(arrivals_.begin(), arrivals_.end(), [&](const arrival& a) {
        return a.ifindex == ifindex && a.vlan.outer == vlan.outer && a.vlan.inner == vlan.inner;
    });
}

bool ways::leaves_as(u32 ifindex, const arrival& a) const {
    const auto vlan = links_.tags_between(ifindex, a.ifindex);
    return vlan && vlan->outer == a.vlan.outer && vlan->inner == a.vlan.inner;
}

way ways::by_route(const route& r, const arrival& a) const {
    const way elsewhere{{}, way_kind::elsewhere, 0};
    if (!r.plain || !leaves_as(r.ifindex, a))
        return elsewhere;
    if (!r.gateway)
        return {{}, way_kind::on_link, 0};
    const auto hop = known_.find({r.ifindex, *r.gateway});
    return hop == known_.end() ? elsewhere : by_station(hop->second);
}

// Where IPv4 has no default route, its peers shall not be taken for those of IPv6's.
way_table ways::by_routes() const {
    way_table out;
    for (const arrival& a : arrivals_) {
        out[key_for(a.ifindex, a.vlan, {{be32{}, be32{}, mapped_prefix, be32{}}}, mapped_bits)] = {};
        for (const route& r : routing_.routes) {
            if (is_v4_prefix(r) ? routing_.v4_ruled : routing_.v6_ruled)
                continue;
            way& w = out[key_for(a.ifindex, a.vlan, r.to, r.length)];
            const way found = by_route(r, a);
            if (w.kind == way_kind::unknown || found.kind == way_kind::on_link) // link-local: one for each link
                w = found;
        }
    }
    return out;
}

void ways::add_neighbours(way_table& table) const {
    prefix_lengths lengths;
    for (const route& r : routing_.routes)
        lengths.set(r.length);
    for (const arrival& a : arrivals_)
        for (const auto& [who, link] : known_) {
            const way_key key = key_for(a.ifindex, a.vlan, who.next_hop, whole_address);
            if (leaves_as(who.ifindex, a) && longest_match(by_routes_, lengths, key) == way_kind::on_link)
                table[key] = by_station(link);
        }
}

// Too many for the map: all are unknown, and what does not come by the strangers' way is the stack's. New ways come before old
// ones go, lest a peer be sent by a wider prefix's way meanwhile; but not where the map has no room for both.
void ways::publish(way_table next) {
    const bool too_many = next.size() > most_ways;
    if (too_many && !std::exchange(too_many_, true))
        spdlog::warn(
            "{} routes and neighbours, and the adaptor keeps {}: peers that do not come by the gateway, or where "
            "there are several, are left to the stack",
            next.size(), most_ways);
    too_many_ = too_many;
    if (too_many)
        next.clear();
    if (next.size() + published_.size() > room)
        withdraw_all_but(next);
    for (const auto& [key, w] : next)
        if (const auto at = published_.find(key); at == published_.end() || !alike(at->second, w)) {
            put(map_, key, w);
            published_[key] = w;
        }
    withdraw_all_but(next);
}

void ways::withdraw_all_but(const way_table& wanted) {
    std::erase_if(published_, [&](const auto& known) {
        const bool gone = !wanted.contains(known.first);
        if (gone)
            bpf_map_delete_elem(map_, &known.first);
        return gone;
    });
}

} // namespace vestibule
