// A network interface of this process's network namespace.
#pragma once

#include <array>
#include <string>

#include "abi/scalar.hpp"

namespace vestibule::lab {

using link_address = std::array<u8, 6>;

// Throws std::runtime_error that names the text.
link_address parse_link_address(const std::string& text);

struct interface {
    u32 index;
    link_address address;
};

// Throws std::runtime_error that names the interface.
interface find_interface(const std::string& name);

// Frames that the interface refused to send, ever; counts modulo 2^32.
u32 dropped_frames(const std::string& name);

} // namespace vestibule::lab
