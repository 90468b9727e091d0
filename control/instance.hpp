// One running vestibule: which network namespace it serves, and where its pins, its socket and its secret live.
#pragma once

#include <filesystem>
#include <string>

#include "abi/scalar.hpp"

namespace vestibule {

struct instance {
    std::string name;
    u32 network_inode; // the network namespace, as in /proc/self/ns/net

    [[nodiscard]] std::filesystem::path pins() const;      // directory on bpffs, root only
    [[nodiscard]] std::filesystem::path directory() const; // directory under /run, root only
    [[nodiscard]] std::filesystem::path socket() const;    // status is asked for here
};

// The instance of that name in the caller's network namespace. Throws failure on an impossible name.
instance instance_here(const std::string& name);

} // namespace vestibule
