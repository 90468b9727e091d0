// Which drivers lose what XDP sends back. Those that report it frame by frame are looked at once a second: where nearly
// every reply of that second was lost, none will get through.
#pragma once

#include <map>

#include "control/programs.hpp"

namespace vestibule {

class losses {
public:
    explicit losses(const programs& loaded) : programs_(loaded) {}

    // Whether that interface has lost nearly all its replies since it was last asked for.
    [[nodiscard]] bool nearly_all(u32 ifindex);

private:
    struct reading {
        u64 given;
        u64 lost;
    };
    [[nodiscard]] reading read(u32 ifindex) const;

    const programs& programs_;
    std::map<u32, reading> last_; // by interface
};

} // namespace vestibule
