// What must hold before anything is attached. Each check throws failure with one line that says what to do.
#pragma once

#include "control/links.hpp"

namespace vestibule {

void require_privilege();
void require_kernel();     // Linux 6.9: bpf_sk_assign_tcp_reqsk
void require_syncookies(); // net.ipv4.tcp_syncookies other than 0
void require_listing();    // sock_diag for TCP: without it no listener would be found, and none served
void require_pin_room();   // bpffs at /sys/fs/bpf; mounted here if it is not
const link& require_interface(const link_table& links, const std::string& name);

// No core dump and no other process of the same user may read our memory: it holds the keys.
void close_to_onlookers();

} // namespace vestibule
