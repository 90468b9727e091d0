// The adaptor's keys: all derived from one master secret and the number of an epoch, so that whoever knows the secret and
// the time knows the keys, without talking.
#pragma once

#include <array>
#include <filesystem>

#include <sodium.h>

#include "abi/keys.hpp"

namespace vestibule {

using master_secret = std::array<unsigned char, crypto_kdf_KEYBYTES>;

// Reads the secret of an earlier run of the same instance, or makes one: 0600, root's, on tmpfs. With it, cookies and
// timestamps outlive a restart.
master_secret load_or_make_secret(const std::filesystem::path& file);

class keyring {
public:
    keyring(const master_secret& secret, u64 epoch_seconds);
    ~keyring();
    keyring(const keyring&) = delete;
    keyring& operator=(const keyring&) = delete;

    // The keys in force at that wall-clock second: those of its epoch and of the one before.
    [[nodiscard]] key_ring at(u64 wall_seconds) const;
    [[nodiscard]] u64 epoch(u64 wall_seconds) const { return wall_seconds / epoch_seconds_; }
    [[nodiscard]] u64 epoch_seconds() const { return epoch_seconds_; }

private:
    [[nodiscard]] secret_key derive(u64 number, const char* purpose) const;

    master_secret secret_;
    u64 epoch_seconds_;
};

} // namespace vestibule
