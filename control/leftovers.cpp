#include "control/leftovers.hpp"

#include <net/if.h>

#include <algorithm>
#include <array>
#include <string>

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "control/predecessor.hpp"

namespace vestibule {

namespace {

std::string name_of(u32 ifindex) {
    std::array<char, IF_NAMESIZE> name{};
    return if_indextoname(ifindex, name.data()) == nullptr ? std::to_string(ifindex) : name.data();
}

// Returns the interfaces where one stood.
std::vector<std::string> detach(const std::filesystem::path& pins, const char* role, const std::vector<u32>& served) {
    std::vector<std::string> stood;
    for (u32 ifindex : pinned_for(pins, role)) {
        if (std::ranges::find(served, ifindex) != served.end())
            continue;
        const auto pin = pin_of(pins, role, ifindex);
        if (bpf_link_detach(pinned_link(pin, ifindex).get()) == 0)
            stood.push_back(name_of(ifindex));
        std::error_code ignored;
        std::filesystem::remove(pin, ignored);
    }
    return stood;
}

} // namespace

leftovers::leftovers(std::filesystem::path pins, std::vector<u32> served)
    : pins_(std::move(pins)), served_(std::move(served)) {
    if (const auto stood = detach(pins_, "adaptor", served_); !stood.empty())
        spdlog::warn("{}: an earlier run served it, this one does not: left to the stack", fmt::join(stood, ", "));
}

leftovers::~leftovers() {
    detach(pins_, "handoff", served_);
}

} // namespace vestibule
