// Rules of the older iptables, which keeps them apart from nftables and announces no change.
#pragma once

#include <string>

namespace vestibule {

// Every rule of every table in use, without its counters. Only good for telling whether anything changed.
std::string legacy_rules();

bool has_legacy_nat();

} // namespace vestibule
