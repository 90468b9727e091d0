#include "control/instance.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>

#include "control/failure.hpp"

namespace vestibule {

namespace fs = std::filesystem;

namespace {

bool plain(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
}

} // namespace

fs::path instance::pins() const {
    return fs::path("/sys/fs/bpf/vestibule") / fmt::format("{}-{}", network_inode, name);
}

fs::path instance::directory() const {
    return fs::path("/run/vestibule") / fmt::format("{}-{}", network_inode, name);
}

fs::path instance::socket() const {
    return directory() / "status.sock";
}

instance instance_here(const std::string& name) {
    constexpr std::size_t longest = 32;
    if (name.empty() || name.size() > longest || !std::all_of(name.begin(), name.end(), plain))
        fail("instance name '{}' will not do: use 1 to {} letters, digits, '-' or '_'", name, longest);
    struct stat s{};
    if (stat("/proc/self/ns/net", &s) != 0)
        fail("cannot tell the network namespace: is /proc mounted?");
    return {name, static_cast<u32>(s.st_ino)};
}

} // namespace vestibule
