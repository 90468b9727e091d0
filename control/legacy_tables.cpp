#include "control/legacy_tables.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <fstream>
#include <vector>

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include "control/descriptor.hpp"

namespace vestibule {

namespace {

struct family_v4 {
    static constexpr int domain = AF_INET;
    static constexpr int level = IPPROTO_IP;
    static constexpr auto names = "/proc/self/net/ip_tables_names";
    using info = ipt_getinfo;
    using head = ipt_get_entries;
    using entry = ipt_entry;
};

struct family_v6 {
    static constexpr int domain = AF_INET6;
    static constexpr int level = IPPROTO_IPV6;
    static constexpr auto names = "/proc/self/net/ip6_tables_names";
    using info = ip6t_getinfo;
    using head = ip6t_get_entries;
    using entry = ip6t_entry;
};

std::vector<std::string> table_names(const char* file) {
    std::ifstream in(file);
    std::vector<std::string> out;
    for (std::string name; std::getline(in, name);)
        out.push_back(name);
    return out;
}

template <class Family>
void clear_counters(char* first, std::size_t size) {
    using entry = typename Family::entry;
    for (std::size_t at = 0; at + sizeof(entry) <= size;) {
        entry e;
        std::memcpy(&e, first + at, sizeof(e));
        std::memset(first + at + offsetof(entry, counters), 0, sizeof(e.counters));
        if (e.next_offset < sizeof(e))
            return;
        at += e.next_offset;
    }
}

template <class Family>
std::string rules_of(int s, const std::string& table) {
    typename Family::info info{};
    socklen_t size = sizeof(info);
    table.copy(info.name, sizeof(info.name) - 1);
    if (getsockopt(s, Family::level, IPT_SO_GET_INFO, &info, &size) != 0)
        return {};
    constexpr std::size_t head_size = sizeof(typename Family::head);
    std::vector<char> buffer(head_size + info.size);
    auto* head = reinterpret_cast<typename Family::head*>(buffer.data());
    table.copy(head->name, sizeof(head->name) - 1);
    head->size = info.size;
    size = static_cast<socklen_t>(buffer.size());
    if (getsockopt(s, Family::level, IPT_SO_GET_ENTRIES, buffer.data(), &size) != 0)
        return {}; // replaced just now: the next look sees it
    clear_counters<Family>(buffer.data() + head_size, info.size);
    return {buffer.data(), buffer.size()};
}

template <class Family>
std::string rules() {
    std::string out;
    const auto tables = table_names(Family::names);
    if (tables.empty())
        return out;
    const descriptor s(socket(Family::domain, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
    for (const std::string& table : tables)
        out += table + '\n' + rules_of<Family>(s.get(), table);
    return out;
}

template <class Family>
bool nat_in_use() {
    for (const std::string& table : table_names(Family::names))
        if (table == "nat")
            return true;
    return false;
}

} // namespace

std::string legacy_rules() {
    return rules<family_v4>() + rules<family_v6>();
}

bool has_legacy_nat() {
    return nat_in_use<family_v4>() || nat_in_use<family_v6>();
}

} // namespace vestibule
