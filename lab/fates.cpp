#include "lab/fates.hpp"

#include <algorithm>
#include <cstring>

#include "engine/parse.hpp"

namespace vestibule::lab {

fates::course& fates::course_of(const flow& f) {
    const auto found = courses_.find(f);
    if (found != courses_.end())
        return found->second;
    std::array<u32, 10> number;
    std::copy(f.begin(), f.end(), number.begin());
    number.back() = by_.seed;
    std::seed_seq seed(number.begin(), number.end());
    return courses_.emplace(f, course{std::ranlux24(seed)}).first->second;
}

// All is drawn always: so a link that does one thing more still loses the same segments.
fate fates::draw(course& c) const {
    std::uniform_real_distribution<double> percent(0, 100);
    const bool lost = percent(c.chance) < by_.loss;
    const bool duplicated = percent(c.chance) < by_.duplicates;
    const double late = percent(c.chance) / 100;
    return {lost ? 0U : duplicated ? 2U : 1U, by_.delay + late * by_.jitter};
}

void fates::count(course& c, bool syn, const fate& drawn) {
    const bool lost = drawn.copies == 0;
    ++counts_.segments;
    counts_.lost += lost;
    counts_.duplicated += drawn.copies == 2;
    if (!syn)
        return;
    ++counts_.syns;
    counts_.repeated_syns += c.begun;
    counts_.lost_syns += lost;
    c.begun = true;
}

fate fates::of(std::span<u8> frame) {
    ++counts_.frames;
    segment s{};
    if (parse({frame.data(), frame.data() + frame.size()}, s) != shape::tcp)
        return {1, by_.delay};
    flow f;
    std::memcpy(f.data(), &s.source, sizeof(s.source));
    std::memcpy(f.data() + 4, &s.destination, sizeof(s.destination));
    f[8] = static_cast<u32>(host(s.source_port)) << 16 | host(s.destination_port);
    course& c = course_of(f);
    const fate drawn = draw(c);
    count(c, has(s, wire::syn), drawn);
    return drawn;
}

} // namespace vestibule::lab
