#include "test/agree/stage.hpp"

#include <linux/if.h>
#include <linux/ipv6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "control/failure.hpp"

namespace vestibule::test {

namespace {

void must(bool done, const char* what) {
    if (!done)
        fail("{}: {}", what, std::strerror(errno));
}

// --- The loopback interface, with the addresses of both ends ----------------------------------------------------------

struct sockaddr_storage socket_address(const address& a, u16 port) {
    sockaddr_storage storage{};
    if (is_v4(a)) {
        auto* in = reinterpret_cast<sockaddr_in*>(&storage);
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        __builtin_memcpy(&in->sin_addr, &a.word[3], 4);
    } else {
        auto* in = reinterpret_cast<sockaddr_in6*>(&storage);
        in->sin6_family = AF_INET6;
        in->sin6_port = htons(port);
        __builtin_memcpy(&in->sin6_addr, &a, 16);
    }
    return storage;
}

ifreq loopback() {
    ifreq r{};
    std::strcpy(r.ifr_name, "lo");
    return r;
}

void raise_loopback(int control) {
    ifreq r = loopback();
    r.ifr_flags = IFF_UP;
    must(ioctl(control, SIOCSIFFLAGS, &r) == 0, "cannot raise the loopback interface");
}

// A prefix on the loopback interface makes every address in it the host's.
void add_v4_prefix(int control) {
    ifreq r = loopback();
    std::strcpy(r.ifr_name, "lo:1");
    const sockaddr_storage a = socket_address(host_address(false), 0);
    __builtin_memcpy(&r.ifr_addr, &a, sizeof(r.ifr_addr));
    must(ioctl(control, SIOCSIFADDR, &r) == 0, "cannot add an IPv4 address");
    const sockaddr_storage mask = socket_address(ip("255.255.255.0"), 0);
    __builtin_memcpy(&r.ifr_netmask, &mask, sizeof(r.ifr_netmask));
    must(ioctl(control, SIOCSIFNETMASK, &r) == 0, "cannot set an IPv4 prefix");
}

void add_v6(const address& a) {
    const descriptor control(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    in6_ifreq r{};
    __builtin_memcpy(&r.ifr6_addr, &a, 16);
    r.ifr6_prefixlen = 128;
    r.ifr6_ifindex = loopback_index;
    must(ioctl(control.get(), SIOCSIFADDR, &r) == 0, "cannot add an IPv6 address");
}

// An IPv6 address is tentative until the kernel has got round to it, on the loopback interface too.
void wait_for_v6(const address& a) {
    const sockaddr_storage at = socket_address(a, 0);
    for (int tries = 0; tries < 5000; ++tries) {
        const descriptor s(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        if (bind(s.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) == 0)
            return;
        usleep(1000);
    }
    fail("an IPv6 address of the loopback interface stays tentative");
}

// --- Sockets ----------------------------------------------------------------------------------------------------------

descriptor tcp_socket(const address& a, u16 port, int protocol = IPPROTO_TCP) {
    descriptor s(socket(is_v4(a) ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, protocol));
    must(static_cast<bool>(s), "cannot make a socket (without MPTCP in the kernel one door is missing)");
    const int on = 1;
    must(setsockopt(s.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0, "SO_REUSEADDR");
    const sockaddr_storage at = socket_address(a, port);
    must(bind(s.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) == 0, "cannot bind");
    return s;
}

void set(int s, int option, int value, const char* name) {
    must(setsockopt(s, IPPROTO_TCP, option, &value, sizeof(value)) == 0, name);
}

void set_md5_key(int s, bool v6) {
    tcp_md5sig key{};
    const sockaddr_storage peer = socket_address(ip(v6 ? "2001:db8::99" : "203.0.113.99"), 0);
    __builtin_memcpy(&key.tcpm_addr, &peer, sizeof(key.tcpm_addr));
    key.tcpm_keylen = 3;
    __builtin_memcpy(key.tcpm_key, "key", 3);
    must(setsockopt(s, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof(key)) == 0, "TCP_MD5SIG");
}

void furnish(int s, const door& d, bool v6) {
    if ((d.traits & takes_fast_open) != 0)
        set(s, TCP_FASTOPEN, 16, "TCP_FASTOPEN");
    if ((d.traits & has_md5_key) != 0)
        set_md5_key(s, v6);
    if ((d.traits & waits_for_data) != 0)
        set(s, TCP_DEFER_ACCEPT, 5, "TCP_DEFER_ACCEPT");
    if ((d.traits & keeps_syns) != 0)
        set(s, TCP_SAVE_SYN, 1, "TCP_SAVE_SYN");
    if ((d.traits & has_small_mss) != 0)
        set(s, TCP_MAXSEG, small_mss, "TCP_MAXSEG");
}

descriptor connected(bool v6, u16 from_port, u16 to_port) {
    descriptor s = tcp_socket(client_address(v6), from_port);
    const sockaddr_storage to = socket_address(host_address(v6), to_port);
    must(connect(s.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0, "cannot connect to ourselves");
    return s;
}

} // namespace

void enter_own_network() {
    must(unshare(CLONE_NEWNET) == 0, "cannot make a network namespace (root?)");
    const descriptor control(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    raise_loopback(control.get());
    add_v4_prefix(control.get());
    for (const address& a : {host_address(true), client_address(true)}) {
        add_v6(a);
        wait_for_v6(a);
    }
}

stage::stage() {
    for (const bool v6 : {false, true}) {
        for (const door& d : doors())
            if ((d.traits & listens) != 0)
                open_door(d, v6);
        for (const own_connection& c : own_connections())
            connect_to_itself(c, v6);
    }
}

// A queue has room for one connection more than its backlog says.
void stage::open_door(const door& d, bool v6) {
    const int protocol = (d.traits & multipath) != 0 ? IPPROTO_MPTCP : IPPROTO_TCP;
    const bool for_both = (d.traits & for_both_families) != 0;
    if (for_both && !v6)
        return;
    descriptor s = tcp_socket(for_both ? address{} : host_address(v6), d.port, protocol);
    furnish(s.get(), d, v6);
    const bool queued = (d.traits & (full | one_short_of_full)) != 0;
    const int backlog = (d.traits & full) != 0 ? 0 : queued ? 1 : 16;
    must(listen(s.get(), backlog) == 0, "cannot listen");
    listeners_.push_back({d.port, v6, std::move(s)});
    if (queued)
        connections_.push_back(connected(v6, 0, d.port));
}

int stage::listener_of(u16 port, bool v6) const {
    for (const listening_socket& l : listeners_)
        if (l.port == port && l.v6 == v6)
            return l.socket.get();
    fail("no listener on port {}", port);
}

void stage::connect_to_itself(const own_connection& c, bool v6) {
    descriptor client = connected(v6, c.from_port, c.to_port);
    if (c.state == "half_open") {
        connections_.push_back(std::move(client));
        return;
    }
    descriptor server(accept4(listener_of(c.to_port, v6), nullptr, nullptr, SOCK_CLOEXEC));
    must(static_cast<bool>(server), "cannot accept");
    if (c.state == "established") {
        connections_.push_back(std::move(client));
        connections_.push_back(std::move(server));
        return;
    }
    server = descriptor(); // who closes first waits: the host's end
    char nothing = 0;
    must(::read(client.get(), &nothing, 1) == 0, "the host's end did not close");
}

} // namespace vestibule::test
