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

    // An earlier run made cookies with those keys until now, maybe for long after its own end: its last key keeps its
    // slot until that is wanted for a new one.
    void inherit(const key_ring& former, u64 wall_seconds);

    // The keys in force at that wall-clock second: those of its epoch and of the one before.
    [[nodiscard]] key_ring at(u64 wall_seconds) const;
    [[nodiscard]] u64 epoch(u64 wall_seconds) const { return wall_seconds / epoch_seconds_; }
    [[nodiscard]] u64 epoch_seconds() const { return epoch_seconds_; }

private:
    [[nodiscard]] secret_key derive(u64 number, const char* purpose) const;

    master_secret secret_;
    u64 epoch_seconds_;
    secret_key inherited_{};
    u32 inherited_slot_ = 0;
    u64 inherited_until_ = 0; // the epoch that has another key in that slot
};

} // namespace vestibule
