#include "metrics/counters.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <system_error>
#include <vector>

namespace vestibule {

totals read_totals(int map) {
    std::vector<tally> each(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    const u32 key = 0;
    if (bpf_map_lookup_elem(map, &key, each.data()) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot read the counters");
    totals sum{};
    for (const tally& t : each)
        for (u32 i = 0; i < reason_count; ++i)
            sum.at(i) += t.of[i];
    return sum;
}

} // namespace vestibule
