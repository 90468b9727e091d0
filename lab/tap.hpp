// A TAP interface of some network namespace: what its stack sends is read here, what is written here it receives.
#pragma once

#include <span>
#include <string>

#include "abi/scalar.hpp"
#include "control/descriptor.hpp"

namespace vestibule::lab {

class tap {
public:
    // Makes the interface, which goes with this object. Throws std::runtime_error that says what could not be done.
    tap(const std::string& path_of_namespace, std::string name);

    // To be waited upon; reads and writes do not block.
    [[nodiscard]] int file() const { return file_.get(); }

    // The next frame, in `room`; empty where none has come.
    [[nodiscard]] std::span<u8> read(std::span<u8> room) const;

    // False where the interface did not take the frame, being down.
    [[nodiscard]] bool write(std::span<const u8> frame) const;

    // Frames that came while the interface's queue was full.
    [[nodiscard]] u32 overflowed() const;

private:
    descriptor namespace_;
    std::string name_;
    descriptor file_;
};

} // namespace vestibule::lab
