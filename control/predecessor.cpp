#include "control/predecessor.hpp"

#include <net/if.h>

#include <algorithm>
#include <array>

#include <spdlog/spdlog.h>

#include "abi/answer.hpp"

namespace vestibule {

namespace {

constexpr u32 most_maps = 64; // the kernel's bound for one program

std::vector<descriptor> maps_of(u32 program) {
    const descriptor fd(bpf_prog_get_fd_by_id(program));
    std::array<u32, most_maps> ids{};
    bpf_prog_info info{};
    info.nr_map_ids = most_maps;
    info.map_ids = reinterpret_cast<u64>(ids.data());
    u32 size = sizeof(info);
    std::vector<descriptor> out;
    if (!fd || bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0)
        return out;
    for (u32 i = 0; i < std::min(info.nr_map_ids, most_maps); ++i)
        out.emplace_back(bpf_map_get_fd_by_id(ids.at(i)));
    return out;
}

// -1: there is none, or another version of the program gave it another form.
template <class Key, class Value>
int map_named(const char* name, const std::vector<descriptor>& maps) {
    for (const descriptor& map : maps) {
        bpf_map_info info{};
        u32 size = sizeof(info);
        if (!map || bpf_obj_get_info_by_fd(map.get(), &info, &size) != 0 || std::string(info.name) != name)
            continue;
        if (info.key_size == sizeof(Key) && info.value_size == sizeof(Value))
            return map.get();
        spdlog::warn("the {} of the version that ran before cannot be read: handshakes under way may be lost", name);
    }
    return -1;
}

} // namespace

std::filesystem::path pin_of(const std::filesystem::path& pins, const char* role, u32 ifindex) {
    return pins / fmt::format("{}-{}", role, ifindex);
}

descriptor pinned_link(const std::filesystem::path& pin, u32 ifindex) {
    descriptor link(bpf_obj_get(pin.c_str()));
    return program_held_by(link, ifindex) != 0 ? std::move(link) : descriptor();
}

std::vector<u32> pinned_for(const std::filesystem::path& pins, const std::string& role) {
    std::vector<u32> out;
    std::error_code none;
    for (const auto& at : std::filesystem::directory_iterator(pins, none))
        if (const std::string name = at.path().filename(); name.starts_with(role + '-'))
            out.push_back(static_cast<u32>(std::strtoul(name.c_str() + role.size() + 1, nullptr, 10)));
    return out;
}

predecessor::predecessor(const std::filesystem::path& pins, const std::vector<std::string>& interfaces) {
    std::vector<u32> served(interfaces.size());
    std::ranges::transform(interfaces, served.begin(), [](const std::string& i) { return if_nametoindex(i.c_str()); });
    for (u32 ifindex : served)
        look_at(pins, ifindex, true);
    for (u32 ifindex : pinned_for(pins, "handoff"))
        if (std::ranges::find(served, ifindex) == served.end())
            look_at(pins, ifindex, false);
}

void predecessor::look_at(const std::filesystem::path& pins, u32 ifindex, bool served_on) {
    const descriptor handoff = pinned_link(pin_of(pins, "handoff", ifindex), ifindex);
    if (const u32 program = program_held_by(handoff, ifindex); program != 0)
        places_.push_back({ifindex, served_on, maps_of(program)});
}

void predecessor::hand_on_answers(int to) const {
    std::size_t handed_on = 0;
    for (const place& p : places_)
        for_each<endpoint, answer>(map_named<endpoint, answer>("answers", p.maps),
                                   [&](const endpoint& where, const answer& a) {
                                       if (!p.served_on || where.ifindex != p.ifindex || a.state != service::served)
                                           return;
                                       handed_on += bpf_map_update_elem(to, &where, &a, BPF_ANY) == 0 ? 1 : 0;
                                   });
    if (handed_on != 0)
        spdlog::info("an earlier run is still at work: {} of its answers are taken over", handed_on);
}

template <class Value>
std::optional<Value> predecessor::first(const char* map) const {
    const u32 key = 0;
    Value value{};
    for (const place& p : places_)
        if (bpf_map_lookup_elem(map_named<u32, Value>(map, p.maps), &key, &value) == 0)
            return value;
    return std::nullopt;
}

std::optional<settings> predecessor::its_settings() const {
    return first<settings>("config");
}

std::optional<key_ring> predecessor::its_keys() const {
    return first<key_ring>("keys");
}

} // namespace vestibule
