// The real host of the comparison: a network namespace of this process's own, with a listening socket behind each door and
// a few connections, so that the kernel's look-ups find what the table of doors says.
#pragma once

#include <vector>

#include "control/descriptor.hpp"
#include "test/agree/doors.hpp"

namespace vestibule::test {

// Leaves the namespace it was started in; for the whole process, before it has threads.
void enter_own_network();

class stage {
public:
    stage();

private:
    void open_door(const door& d, bool v6);
    void connect_to_itself(const own_connection& c, bool v6);
    [[nodiscard]] int listener_of(u16 port, bool v6) const;

    struct listening_socket {
        u16 port;
        bool v6;
        descriptor socket;
    };
    std::vector<listening_socket> listeners_;
    std::vector<descriptor> connections_;
};

} // namespace vestibule::test
