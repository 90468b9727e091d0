#include "control/witness.hpp"

#include <cerrno>
#include <cstring>

#include "control/failure.hpp"

namespace vestibule {

witness::witness(const programs& loaded) {
    for (const char* name : {"socket_state_changed", "reset_sent", "bulk_sent", "driver_failed"}) {
        posts_.push_back({name, descriptor(bpf_raw_tracepoint_open(nullptr, loaded.program(name)))});
        if (!posts_.back().link)
            fail("cannot attach the tracepoint program {}: {}", name, std::strerror(errno));
    }
}

// The former stay until all of these do: another version's may have other names.
void witness::stay(const std::filesystem::path& pins) const {
    const auto place = pins / "witness";
    const auto beside = pins / "witness-next";
    std::filesystem::remove_all(beside); // a run may have been killed here
    std::filesystem::create_directory(beside);
    try {
        pin_in(beside);
    } catch (...) {
        std::filesystem::remove_all(beside);
        throw;
    }
    std::filesystem::remove_all(place);
    std::filesystem::rename(beside, place);
}

void witness::pin_in(const std::filesystem::path& directory) const {
    for (const post& p : posts_) {
        const auto where = directory / p.name;
        if (bpf_obj_pin(p.link.get(), where.c_str()) != 0)
            fail("cannot pin a BPF link at {}: {}", where.string(), std::strerror(errno));
    }
}

} // namespace vestibule
