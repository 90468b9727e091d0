#include "lab/tap.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "lab/interface.hpp"

namespace vestibule::lab {

namespace {

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

descriptor open_file(const std::string& path, int how) {
    descriptor result(open(path.c_str(), how | O_CLOEXEC));
    if (!result)
        fail("cannot open " + path);
    return result;
}

// This thread is in the namespace as long as the object lives.
class stay {
public:
    explicit stay(const descriptor& there) : home_(open_file("/proc/thread-self/ns/net", O_RDONLY)) { enter(there); }
    ~stay() { setns(home_.get(), CLONE_NEWNET); }
    stay(const stay&) = delete;
    stay& operator=(const stay&) = delete;

private:
    static void enter(const descriptor& there) {
        if (setns(there.get(), CLONE_NEWNET) != 0)
            fail("cannot enter a network namespace");
    }

    descriptor home_;
};

descriptor make_interface(const descriptor& there, const std::string& name) {
    const stay inside(there);
    descriptor result = open_file("/dev/net/tun", O_RDWR | O_NONBLOCK);
    ifreq wish{};
    wish.ifr_flags = IFF_TAP | IFF_NO_PI;
    name.copy(wish.ifr_name, sizeof(wish.ifr_name) - 1);
    if (ioctl(result.get(), TUNSETIFF, &wish) != 0)
        fail("cannot make the interface " + name);
    return result;
}

} // namespace

tap::tap(const std::string& path_of_namespace, std::string name)
    : namespace_(open_file(path_of_namespace, O_RDONLY)), name_(std::move(name)),
      file_(make_interface(namespace_, name_)) {}

std::span<u8> tap::read(std::span<u8> room) const {
    const ssize_t got = ::read(file(), room.data(), room.size());
    return room.first(got > 0 ? static_cast<std::size_t>(got) : 0);
}

bool tap::write(std::span<const u8> frame) const {
    return ::write(file(), frame.data(), frame.size()) == static_cast<ssize_t>(frame.size());
}

u32 tap::overflowed() const {
    const stay inside(namespace_);
    return dropped_frames(name_);
}

} // namespace vestibule::lab
