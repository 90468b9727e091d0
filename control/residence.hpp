// The directories of an instance, on the BPF file system and below /run, held by one process.
#pragma once

#include <filesystem>

#include "control/descriptor.hpp"
#include "control/instance.hpp"

namespace vestibule {

// For root alone, and its parent likewise.
void make_private_directory(const std::filesystem::path& directory);

// They go when the process goes, and with the last instance their parents; but where a killed process left them, only
// once this one has taken its place.
class residence {
public:
    // Throws failure where another process holds them.
    explicit residence(const instance& self);
    ~residence();
    residence(const residence&) = delete;
    residence& operator=(const residence&) = delete;

    void settle() { inherited_ = false; }

private:
    instance self_;
    bool inherited_;
    descriptor lock_;
};

} // namespace vestibule
