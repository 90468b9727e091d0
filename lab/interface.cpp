#include "lab/interface.hpp"

#include <ifaddrs.h>
#include <linux/if_link.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace vestibule::lab {

namespace {

link_address link_address_of(const std::string& name) {
    ifreq request{};
    name.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int failed = ioctl(socket, SIOCGIFHWADDR, &request);
    close(socket);
    if (failed != 0)
        throw std::runtime_error("interface " + name + " has no link address");
    link_address result;
    std::memcpy(result.data(), request.ifr_hwaddr.sa_data, result.size());
    return result;
}

} // namespace

link_address parse_link_address(const std::string& text) {
    ether_addr parsed;
    if (ether_aton_r(text.c_str(), &parsed) == nullptr)
        throw std::runtime_error("'" + text + "' is not a link address");
    link_address result;
    std::copy_n(parsed.ether_addr_octet, result.size(), result.begin());
    return result;
}

interface find_interface(const std::string& name) {
    const u32 index = if_nametoindex(name.c_str());
    if (index == 0)
        throw std::runtime_error("no interface " + name + " in this network namespace");
    return {index, link_address_of(name)};
}

u32 dropped_frames(const std::string& name) {
    ifaddrs* all = nullptr;
    if (getifaddrs(&all) != 0)
        return 0;
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(all, freeifaddrs);
    for (const ifaddrs* i = all; i != nullptr; i = i->ifa_next)
        if (name == i->ifa_name && i->ifa_addr != nullptr && i->ifa_addr->sa_family == AF_PACKET)
            return static_cast<const rtnl_link_stats*>(i->ifa_data)->tx_dropped;
    return 0;
}

} // namespace vestibule::lab
