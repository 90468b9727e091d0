#include "control/keyring.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstring>

#include "control/descriptor.hpp"
#include "control/failure.hpp"

namespace vestibule {

namespace {

bool read_secret(const std::filesystem::path& file, master_secret& secret) {
    const descriptor f(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat s{};
    if (!f || fstat(f.get(), &s) != 0 || s.st_uid != 0 || (s.st_mode & 077) != 0)
        return false;
    return read(f.get(), secret.data(), secret.size()) == static_cast<ssize_t>(secret.size());
}

} // namespace

master_secret load_or_make_secret(const std::filesystem::path& file) {
    if (sodium_init() < 0)
        fail("the cryptographic library does not start: no source of randomness?");
    master_secret secret{};
    if (read_secret(file, secret))
        return secret;
    crypto_kdf_keygen(secret.data());
    std::filesystem::remove(file);
    const descriptor f(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!f || write(f.get(), secret.data(), secret.size()) != static_cast<ssize_t>(secret.size()))
        fail("cannot keep the secret in {}: {}", file.string(), std::strerror(errno));
    return secret;
}

keyring::keyring(const master_secret& secret, u64 epoch_seconds) : secret_(secret), epoch_seconds_(epoch_seconds) {
    sodium_mlock(secret_.data(), secret_.size());
}

keyring::~keyring() {
    sodium_munlock(secret_.data(), secret_.size()); // wipes it too
    sodium_memzero(&inherited_, sizeof(inherited_));
}

void keyring::inherit(const key_ring& former, u64 wall_seconds) {
    const u64 next = epoch(wall_seconds) + 1;
    inherited_slot_ = former.current & 1;
    inherited_ = former.cookie[inherited_slot_];
    inherited_until_ = (next & 1) == inherited_slot_ ? next : next + 1;
}

key_ring keyring::at(u64 wall_seconds) const {
    const u64 now = epoch(wall_seconds);
    key_ring ring{};
    ring.current = static_cast<u32>(now & 1);
    ring.cookie[now & 1] = derive(now, "cookie__");
    ring.cookie[(now + 1) & 1] = derive(now - 1, "cookie__");
    if (now < inherited_until_)
        ring.cookie[inherited_slot_] = inherited_;
    ring.clock = derive(0, "clock___");
    return ring;
}

secret_key keyring::derive(u64 number, const char* purpose) const {
    secret_key key{};
    static_assert(sizeof(key) >= crypto_kdf_BYTES_MIN && crypto_kdf_CONTEXTBYTES == 8);
    crypto_kdf_derive_from_key(reinterpret_cast<unsigned char*>(&key), sizeof(key), number, purpose, secret_.data());
    return key;
}

} // namespace vestibule
