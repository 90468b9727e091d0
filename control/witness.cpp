#include "control/witness.hpp"

#include <cerrno>
#include <cstring>

#include "control/failure.hpp"

namespace vestibule {

witness::witness(const programs& loaded) {
    for (const char* name : {"socket_state_changed", "reset_sent", "bulk_sent", "driver_failed"}) {
        posts_.push_back({name, descriptor(bpf_raw_tracepoint_open(nullptr, loaded.witness.program(name)))});
        if (!posts_.back().link)
            fail("cannot attach the tracepoint program {}: {}", name, std::strerror(errno));
    }
}

void witness::stay(const std::filesystem::path& pins) const {
    const auto directory = pins / "witness";
    std::filesystem::remove_all(directory); // another version's may have other names
    std::filesystem::create_directory(directory);
    for (const post& p : posts_) {
        const auto where = directory / p.name;
        if (bpf_obj_pin(p.link.get(), where.c_str()) != 0)
            fail("cannot pin a BPF link at {}: {}", where.string(), std::strerror(errno));
    }
}

} // namespace vestibule
