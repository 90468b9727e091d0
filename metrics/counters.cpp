#include "metrics/counters.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <numeric>
#include <system_error>
#include <vector>

#include "abi/loss.hpp"

namespace vestibule {

namespace {

// One value for each processor.
template <class Value>
std::vector<Value> each_of(int map, u32 key) {
    std::vector<Value> each(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    if (bpf_map_lookup_elem(map, &key, each.data()) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot read the counters");
    return each;
}

} // namespace

totals read_totals(int map) {
    totals sum{};
    for (const tally& t : each_of<tally>(map, 0))
        for (u32 i = 0; i < reason_count; ++i)
            sum.at(i) += t.of[i];
    return sum;
}

u64 read_replies(int map, u32 ifindex) {
    const auto each = each_of<u64>(map, replies_entry(ifindex));
    return std::accumulate(each.begin(), each.end(), u64{0});
}

} // namespace vestibule
