// fuzz_seeds DIRECTORY: every frame of the corpus of test/agree, as fuzz_frame takes it, in a file of its own. What of
// them is worth keeping, libFuzzer finds: fuzz_frame -merge=1 test/fuzz/corpus/frame DIRECTORY
#include <filesystem>
#include <fstream>
#include <iostream>

#include "test/agree/corpus.hpp"

using namespace vestibule::test;

namespace {

// The promises of most doors of that corpus.
const bytes generous_host{0xff, 0x87, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00};

} // namespace

int main(int count, char** arguments) {
    if (count != 2) {
        std::cerr << "usage: fuzz_seeds DIRECTORY\n";
        return 2;
    }
    const std::filesystem::path directory = arguments[1];
    std::filesystem::create_directories(directory);
    for (const sample& s : corpus()) {
        const bytes all = join({generous_host, s.frame(1'000'000)});
        std::ofstream(directory / s.name, std::ios::binary)
            .write(reinterpret_cast<const char*>(all.data()), static_cast<std::streamsize>(all.size()));
    }
}
