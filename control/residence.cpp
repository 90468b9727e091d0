#include "control/residence.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "control/failure.hpp"

namespace vestibule {

namespace fs = std::filesystem;

namespace {

fs::path lock_of(const instance& self) {
    return self.directory() / "lock";
}

// Whether it is the file that stands there, and not one that its last holder has just removed.
bool stands_at(const fs::path& where, const descriptor& file) {
    struct stat held{};
    struct stat there{};
    return fstat(file.get(), &held) == 0 && stat(where.c_str(), &there) == 0 && held.st_ino == there.st_ino;
}

// One process for each instance; the lock goes with the process. Its last holder may be going just now.
descriptor lock_instance(const instance& self) {
    const fs::path where = lock_of(self);
    for (;;) {
        make_private_directory(self.directory());
        descriptor lock(open(where.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        if (!lock && errno == ENOENT)
            continue;
        if (!lock || flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
            fail("instance '{}' runs already in this network namespace: stop it first, or name another with --instance",
                 self.name);
        if (stands_at(where, lock))
            return lock;
    }
}

} // namespace

// Another instance, the last to go, may take the parent away between the making of the one and of the other.
void make_private_directory(const fs::path& directory) {
    constexpr int tries = 100;
    std::error_code error;
    int i = 0;
    do
        fs::create_directories(directory, error);
    while (error && ++i < tries);
    if (error)
        fail("cannot make the directory {}: {}", directory.string(), error.message());
    chmod(directory.parent_path().c_str(), 0700);
    chmod(directory.c_str(), 0700);
}

residence::residence(const instance& self)
    : self_(self), inherited_(fs::exists(self.directory())), lock_(lock_instance(self)) {}

// The lock goes last, so that whoever takes the place loses nothing. Parents go if they are empty, not else.
residence::~residence() {
    if (inherited_)
        return;
    std::error_code ignored;
    fs::remove_all(self_.pins(), ignored);
    for (fs::directory_iterator at(self_.directory(), ignored), end; at != end; at.increment(ignored))
        if (at->path() != lock_of(self_))
            fs::remove(at->path(), ignored);
    fs::remove(lock_of(self_), ignored);
    for (const fs::path& directory : {self_.directory(), self_.directory().parent_path(), self_.pins().parent_path()})
        fs::remove(directory, ignored);
}

} // namespace vestibule
