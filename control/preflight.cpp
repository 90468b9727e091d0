#include "control/preflight.hpp"

#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include <bpf/btf.h>

#include "control/descriptor.hpp"
#include "control/failure.hpp"
#include "control/listeners.hpp"

namespace vestibule {

namespace {

bool strips_vlan_tags(const std::string& interface) {
    const descriptor s(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ethtool_value value{};
    value.cmd = ETHTOOL_GFLAGS;
    ifreq request{};
    std::strncpy(request.ifr_name, interface.c_str(), IFNAMSIZ - 1);
    request.ifr_data = reinterpret_cast<char*>(&value);
    return ioctl(s.get(), SIOCETHTOOL, &request) == 0 && (value.data & ETH_FLAG_RXVLAN) != 0;
}

bool capable(u32 capability) {
    __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
    return syscall(SYS_capget, &head, sets.data()) == 0 &&
           (sets.at(CAP_TO_INDEX(capability)).effective & CAP_TO_MASK(capability)) != 0;
}

std::string kernel_release() {
    utsname name{};
    uname(&name);
    return name.release;
}

} // namespace

void require_privilege() {
    if (geteuid() != 0)
        fail("this needs root (it attaches programs to interfaces): run it with sudo, or as a system service");
    const bool may_load = capable(CAP_SYS_ADMIN) || (capable(CAP_BPF) && capable(CAP_PERFMON));
    if (!may_load || !capable(CAP_NET_ADMIN))
        fail("this root may not load BPF programs: it lacks the capabilities CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON (a "
             "container's root does; run it on the host, in the container's network namespace)");
}

void require_kernel() {
    const std::unique_ptr<btf, decltype(&btf__free)> types(btf__load_vmlinux_btf(), btf__free);
    if (types == nullptr || btf__find_by_name_kind(types.get(), "bpf_sk_assign_tcp_reqsk", BTF_KIND_FUNC) < 0)
        fail(
            "this kernel ({}) cannot take over connections: Linux 6.9 or later with BTF is needed (the kernel function "
            "bpf_sk_assign_tcp_reqsk is missing); install a newer kernel",
            kernel_release());
}

void require_syncookies() {
    std::ifstream file("/proc/sys/net/ipv4/tcp_syncookies");
    int value = 0;
    if (file >> value && value == 0)
        fail(
            "net.ipv4.tcp_syncookies is 0, and the kernel then refuses handed-over connections: set it to 1 (sysctl -w "
            "net.ipv4.tcp_syncookies=1)");
}

void require_listing() {
    netlink diagnosis(NETLINK_SOCK_DIAG);
    if (!sockets_can_be_listed(diagnosis))
        fail("this kernel does not tell which sockets listen (sock_diag): load its modules (modprobe tcp_diag)");
}

void require_pin_room() {
    constexpr auto path = "/sys/fs/bpf";
    struct statfs s{};
    if (statfs(path, &s) == 0 && static_cast<unsigned long>(s.f_type) == BPF_FS_MAGIC)
        return;
    if (mount("bpf", path, "bpf", 0, "mode=0700") != 0)
        fail("cannot mount the BPF file system at {}: {}", path, std::strerror(errno));
}

const link& require_interface(const link_table& links, const std::string& name) {
    const link* l = links.by_name(name);
    if (l == nullptr)
        fail("{}: no such interface here: 'ip link' lists those of this network namespace", name);
    if (l->loopback)
        fail("{}: a loopback interface has no peers to answer: name the interface that the network is on", name);
    if (!l->ethernet)
        fail("{}: its frames have no Ethernet header (tun, WireGuard and tunnels over IP have none), and the adaptor "
             "reads "
             "no others: leave what comes by it to the stack, and name Ethernet interfaces only",
             name);
    if (!l->up)
        fail("{0}: the interface is down: bring it up first (ip link set dev {0} up)", name);
    if (links.has_vlan_on(l->index) && strips_vlan_tags(name))
        fail("{0}: VLAN interfaces stand on it and its driver strips the tags before XDP sees them, so answers would "
             "leave on "
             "the wrong VLAN: turn that off (ethtool -K {0} rxvlan off)",
             name);
    return *l;
}

void close_to_onlookers() {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}

} // namespace vestibule
