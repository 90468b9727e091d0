// Endpoints to make tests of, told apart by their ports.
#pragma once

#include "abi/answer.hpp"

namespace vestibule {

inline endpoint endpoint_at(u16 port) {
    endpoint where{};
    where.port = network(port);
    return where;
}

} // namespace vestibule
