// The witness's programs at their tracepoints. They watch how the host takes what it is handed, also while no process
// watches them: once they stay, a listener that refuses is left to the stack though the daemon was killed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "control/descriptor.hpp"
#include "control/programs.hpp"

namespace vestibule {

class witness {
public:
    // Throws failure where the kernel takes one of them not.
    explicit witness(const programs& loaded);

    // Pins them in that directory, in the place of an earlier run's. They go with the directory and this process.
    // Throws failure, with the earlier run's as they were, where that cannot be.
    void stay(const std::filesystem::path& pins) const;

private:
    void pin_in(const std::filesystem::path& directory) const;

    struct post {
        std::string name; // of the program
        descriptor link;
    };
    std::vector<post> posts_;
};

} // namespace vestibule
