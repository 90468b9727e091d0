// Virtual time: what is to happen, in the order of milliseconds and, within one, of being planned. Nothing else
// decides the order, so a run is the same everywhere.
#pragma once

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "abi/scalar.hpp"

namespace vestibule::test {

class schedule {
public:
    using deed = std::function<void()>;

    [[nodiscard]] u64 now_ms() const { return now_ms_; }

    void after(u64 ms, deed d) { plan(now_ms_ + ms, false, std::move(d)); }
    // At the end of this millisecond, behind all else that falls into it.
    void at_last(deed d) { plan(now_ms_, true, std::move(d)); }

    void run() {
        while (!planned_.empty()) {
            std::ranges::pop_heap(planned_, later);
            entry next = std::move(planned_.back());
            planned_.pop_back();
            now_ms_ = next.at_ms;
            next.what();
        }
    }

private:
    struct entry {
        u64 at_ms;
        bool last;
        u64 number;
        deed what;
    };

    static bool later(const entry& a, const entry& b) {
        return std::tie(a.at_ms, a.last, a.number) > std::tie(b.at_ms, b.last, b.number);
    }

    void plan(u64 at_ms, bool last, deed d) {
        planned_.push_back({at_ms, last, ++number_, std::move(d)});
        std::ranges::push_heap(planned_, later);
    }

    std::vector<entry> planned_;
    u64 now_ms_ = 0;
    u64 number_ = 0;
};

} // namespace vestibule::test
