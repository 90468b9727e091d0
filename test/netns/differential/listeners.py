"""What the server's side is set to: its sockets, and the host they stand on."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import pathlib
import socket
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import sysctls  # noqa: E402
from scene import Scene  # noqa: E402
from syns import KEY  # noqa: E402

IP, V6, TCP, SOL = socket.IPPROTO_IP, socket.IPPROTO_IPV6, socket.IPPROTO_TCP, socket.SOL_SOCKET
SO_RCVBUFFORCE = 33
SO_BINDTODEVICE = 25
SO_BUSY_POLL = 46
TCP_MD5SIG = 14
TCP_SAVE_SYN = 27
TCP_FASTOPEN, TCP_FASTOPEN_NO_COOKIE = 23, 34
IP_TRANSPARENT, IPV6_TRANSPARENT = 19, 75
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER = 10, 23
IP_FREEBIND, IP_MINTTL, IPV6_MINHOPCOUNT = 15, 21, 73


SERVED, LEFT = "served", "left"


@dataclasses.dataclass(frozen=True)
class Listener:
    """One listening socket (or `number` of them), with the options it is given before it is bound."""

    name: str
    options: tuple[tuple[int, int, int | bytes], ...] = ()
    families: tuple[int, ...] = (4, 6)  # of the peers
    family: int = 6  # of the socket; 6 takes IPv4 peers too
    address: str = ""
    backlog: int = 4096
    protocol: int = 0
    number: int = 1
    state: str = SERVED  # in `status`
    stack_has: tuple[str, ...] = ()  # shapes (patterns) that the adaptor passes although the listener is served
    shapes: tuple[str, ...] = ()  # SYNs that this listener is about, besides the telling ones
    congestion_control: str = ""  # which not every kernel has

    def prepare(self, made: socket.socket) -> None:
        for option in self.options:
            made.setsockopt(*option)

    def told(self, level: int, option: int) -> int | bytes | None:
        """What the option is set to; None: it is not."""
        return next((value for where, number, value in self.options if (where, number) == (level, option)), None)

    def open(self, scene: Scene, port: int) -> list[socket.socket]:
        return [scene.listen(port, self.family, self.backlog, self.protocol, self.prepare, self.address)
                for _ in range(self.number)]


def keyed(*peers: str) -> tuple[tuple[int, int, bytes], ...]:
    """TCP_MD5SIG: struct tcp_md5sig, for each peer."""
    return tuple((TCP, TCP_MD5SIG, sockaddr(peer) + struct.pack("=BBHI80s", 0, 0, len(KEY), 0, KEY)) for peer in peers)


def sockaddr(address: str) -> bytes:
    """struct sockaddr_storage of an IPv6 socket, which knows IPv4 peers as mapped ones."""
    packed = ipaddress.ip_address(address if ":" in address else f"::ffff:{address}").packed
    return struct.pack("=HHI16sI100x", socket.AF_INET6, 0, 0, packed, 0)


@dataclasses.dataclass(frozen=True)
class Host:
    """What else a SYN-ACK depends on."""

    name: str
    sysctls: Mapping[str, object] = dataclasses.field(default_factory=dict)
    commands: tuple[str, ...] = ()  # of ip(8), in the server's namespace
    undo: tuple[str, ...] = ()
    mtu: int | None = None  # of both ends of the link
    listeners: tuple[Listener, ...] = (Listener("default"),)
    state: str = SERVED
    stack_has: tuple[str, ...] = ()
    wants: str = ""  # what not every kernel has
    targets: tuple[str, str] = ("10.77.0.2", "fd77::2")  # the server's addresses that are asked, IPv4 and IPv6
    shapes: tuple[str, ...] = ()  # SYNs that this set-up is about, besides the telling ones
    short_queue: bool = False  # one SYN at a time, or the plain kernel answers with cookies

    def is_missing(self, scene: Scene) -> bool:
        """Whether this kernel lacks what the set-up wants."""
        if not self.wants:
            return False
        try:
            with self._set(scene):
                return False
        except OSError:  # no such file, or no such value
            return True

    @contextlib.contextmanager
    def on(self, scenes: Sequence[Scene]) -> Iterator[None]:
        """The scenes' servers are set so for the length of the block."""
        with contextlib.ExitStack() as stack:
            for scene in scenes:
                stack.enter_context(self._set(scene))
            yield

    @contextlib.contextmanager
    def _set(self, scene: Scene) -> Iterator[None]:
        before = sysctls.read(scene, "server", self.sysctls)
        try:
            sysctls.write(scene, "server", self.sysctls)
            self._run(scene, self.commands, self.mtu)
            yield
        finally:
            sysctls.write(scene, "server", before)
            self._run(scene, self.undo, scene.mtu if self.mtu else None)

    @staticmethod
    def _run(scene: Scene, commands: Sequence[str], mtu: int | None) -> None:
        for each in commands:
            scene.ip("server", each)
        for end in ("client", "server") if mtu else ():
            scene.ip(end, f"link set eth0 mtu {mtu}")


def both(v4: int, v6: int, value: int, v6_value: int | None = None) -> tuple[tuple[int, int, int], ...]:
    """An option of IPv4 and of IPv6: a socket that takes both kinds of peers looks at both."""
    return (IP, v4, value), (V6, v6, value if v6_value is None else v6_value)


# What both servers have from the start: a long queue, the same key for the cookies of Fast Open, and an ICMP error
# whenever there is reason for one.
HOUSE = {"net.core.somaxconn": 65535, "net.ipv4.tcp_fastopen": 3, "net.ipv4.tcp_no_metrics_save": 1,
         "net.ipv4.tcp_fastopen_key": "01234567-89abcdef-01234567-89abcdef",
         "net.ipv4.icmp_ratelimit": 0, "net.ipv6.icmp.ratelimit": 0}

BUFFERS = [1, 2048, 4096, 8192, 16384, 65536, 131072, 212992, 1 << 20, 4 << 20, 16 << 20]
SEGMENTS = [88, 536, 1000, 1220, 1400, 1460, 8960]
CLAMPS = [1, 1000, 4096, 20000, 65535, 100000, 1 << 20]

DEFAULT = Listener("default")

LISTENERS = [
    *(Listener(f"SO_RCVBUF {size}", ((SOL, SO_RCVBUFFORCE, size),)) for size in BUFFERS),
    *(Listener(f"TCP_MAXSEG {size}", ((TCP, socket.TCP_MAXSEG, size),)) for size in SEGMENTS),
    *(Listener(f"TCP_WINDOW_CLAMP {size}", ((TCP, socket.TCP_WINDOW_CLAMP, size),)) for size in CLAMPS),
    Listener("SO_RCVBUF 20000, TCP_WINDOW_CLAMP 9000, TCP_MAXSEG 700",
             ((SOL, socket.SO_RCVBUF, 20000), (TCP, socket.TCP_WINDOW_CLAMP, 9000), (TCP, socket.TCP_MAXSEG, 700))),
    Listener("IPv4 socket", family=4, families=(4,)),
    Listener("IPV6_V6ONLY", ((V6, socket.IPV6_V6ONLY, 1),), families=(6,)),
    Listener("bound to one IPv4 address", family=4, families=(4,), address="10.77.0.2"),
    Listener("bound to one mapped address", families=(4,), address="::ffff:10.77.0.2"),
    Listener("bound to one IPv6 address", families=(6,), address="fd77::2"),
    Listener("SO_REUSEPORT, three", ((SOL, socket.SO_REUSEPORT, 1),), number=3),
    *(Listener(f"backlog {size}", backlog=size) for size in (0, 1, 2, 16, 65535)),
    Listener("TCP_FASTOPEN", ((TCP, TCP_FASTOPEN, 16),), stack_has=("Fast Open*", "*bytes of data")),
    Listener("TCP_FASTOPEN, TCP_FASTOPEN_NO_COOKIE", ((TCP, TCP_FASTOPEN, 16), (TCP, TCP_FASTOPEN_NO_COOKIE, 1)),
             stack_has=("Fast Open*", "*bytes of data")),
    Listener("TCP_MD5SIG, another peer's", keyed("192.0.2.1", "2001:db8:99::1"), stack_has=("*",)),
    Listener("TCP_MD5SIG", keyed("203.0.113.9", "2001:db8:77::9"), stack_has=("*",),
             shapes=("MD5", "MD5, with the key", "AO")),
    Listener("IP_TRANSPARENT", both(IP_TRANSPARENT, IPV6_TRANSPARENT, 1)),
    Listener("IP_FREEBIND", ((IP, IP_FREEBIND, 1),)),
    Listener("SO_BINDTODEVICE", ((SOL, SO_BINDTODEVICE, b"eth0"),)),
    Listener("SO_BINDTODEVICE, another", ((SOL, SO_BINDTODEVICE, b"lo"),), state=LEFT),
    Listener("TCP_DEFER_ACCEPT", ((TCP, socket.TCP_DEFER_ACCEPT, 5),)),
    Listener("TCP_SAVE_SYN", ((TCP, TCP_SAVE_SYN, 1),), stack_has=("*",)),
    Listener("TCP_NODELAY, SO_KEEPALIVE", ((TCP, socket.TCP_NODELAY, 1), (SOL, socket.SO_KEEPALIVE, 1))),
    Listener("TOS 0x48", both(socket.IP_TOS, socket.IPV6_TCLASS, 0x48)),
    Listener("TOS 0x03", both(socket.IP_TOS, socket.IPV6_TCLASS, 3)),
    Listener("TTL 33", both(socket.IP_TTL, socket.IPV6_UNICAST_HOPS, 33)),
    Listener("IP_MINTTL 64", both(IP_MINTTL, IPV6_MINHOPCOUNT, 64), state=LEFT),
    Listener("IP_MTU_DISCOVER: don't", both(IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, 0)),
    Listener("SO_PRIORITY 5, SO_MARK 7", ((SOL, socket.SO_PRIORITY, 5), (SOL, socket.SO_MARK, 7))),
    Listener("SO_BUSY_POLL", ((SOL, SO_BUSY_POLL, 50),)),
    Listener("MPTCP", protocol=socket.IPPROTO_MPTCP, stack_has=("*",)),
]


def sysctl(name: str, value: object, *listeners: Listener, stack_has: tuple[str, ...] = (), wants: str = "") -> Host:
    return Host(f"{name.rsplit('.', 1)[1]} {value}", {name: value}, listeners=listeners or (DEFAULT,),
                stack_has=stack_has, wants=wants)


NEAR_ROUTE, FAR_ROUTE = "-4 route change 10.77.0.0/24 dev eth0 src 10.77.0.2", "-4 route change default via 10.77.0.1"
NEAR_ROUTE6 = "-6 route replace fd77::/64 dev eth0 metric 256"
FAR_ROUTE6 = "-6 route replace default via fd77::1 metric 1024"
ROUTES = (NEAR_ROUTE, FAR_ROUTE, NEAR_ROUTE6, FAR_ROUTE6)


def routes(what: str, *listeners: Listener) -> Host:
    """Every route of the server with these words behind it."""
    return Host(f"route: {what}", commands=tuple(f"{route} {what}" for route in ROUTES), undo=ROUTES,
                listeners=listeners or (DEFAULT,))


def controlled_by(name: str) -> Listener:
    return Listener(f"TCP_CONGESTION {name}", ((TCP, socket.TCP_CONGESTION, name.encode()),),
                    shapes=("TOS 0x03", "ECN, TOS 0xb8", "ECN, TOS 0x01", "ECN, TOS 0x02", "ECN, TOS 0x03"),
                    congestion_control=name)


SMALL_BUFFER = Listener("SO_RCVBUF 8192", ((SOL, SO_RCVBUFFORCE, 8192),))
LARGE_BUFFER = Listener("SO_RCVBUF 4 MB", ((SOL, SO_RCVBUFFORCE, 4 << 20),))
CLAMPED = Listener("TCP_WINDOW_CLAMP 20000", ((TCP, socket.TCP_WINDOW_CLAMP, 20000),))
SMALL_SEGMENTS = Listener("TCP_MAXSEG 1000", ((TCP, socket.TCP_MAXSEG, 1000),))
MARKED = Listener("TOS 0x48", both(socket.IP_TOS, socket.IPV6_TCLASS, 0x48))
TRANSPARENT = Listener("IP_TRANSPARENT", both(IP_TRANSPARENT, IPV6_TRANSPARENT, 1))

HOSTS = [
    Host("default", listeners=(DEFAULT, *LISTENERS)),
    Host("addresses by the prefix",
         commands=("-4 route add local 10.99.0.0/24 dev lo", "-6 route add local fd99::/64 dev lo"),
         undo=("-4 route del local 10.99.0.0/24 dev lo", "-6 route del local fd99::/64 dev lo"),
         targets=("10.99.0.5", "fd99::5"), listeners=(DEFAULT, TRANSPARENT)),
    *(Host(f"MTU {mtu}", mtu=mtu, listeners=(DEFAULT, SMALL_BUFFER, SMALL_SEGMENTS))
      for mtu in (1280, 1420, 1500, 9000)),
    routes("advmss 1234", DEFAULT, SMALL_BUFFER, SMALL_SEGMENTS),
    routes("advmss 536"),
    routes("window 20000", DEFAULT, SMALL_BUFFER, LARGE_BUFFER),
    routes("window 200000", DEFAULT, LARGE_BUFFER),
    routes("initrwnd 5", DEFAULT, SMALL_BUFFER),
    routes("mtu 1300"),
    routes("mtu lock 1300"),
    routes("hoplimit 9"),
    routes("features ecn"),
    routes("quickack 1"),
    routes("rto_min 50ms"),
    Host("route: another advmss far away", commands=(f"{FAR_ROUTE} advmss 1234", f"{FAR_ROUTE6} advmss 1234"),
         undo=ROUTES, state=LEFT),
    sysctl("net.ipv4.tcp_rmem", "4096 20000 40000", DEFAULT, LARGE_BUFFER),
    sysctl("net.ipv4.tcp_rmem", "4096 131072 67108864", DEFAULT, LARGE_BUFFER),
    sysctl("net.ipv4.tcp_rmem", "4096 2304 2304"),
    sysctl("net.ipv4.tcp_sack", 0),
    sysctl("net.ipv4.tcp_sack", 1),
    sysctl("net.ipv4.tcp_timestamps", 0, DEFAULT, SMALL_BUFFER),
    sysctl("net.ipv4.tcp_timestamps", 1),
    sysctl("net.ipv4.tcp_timestamps", 2),
    sysctl("net.ipv4.tcp_window_scaling", 0, DEFAULT, LARGE_BUFFER),
    sysctl("net.ipv4.tcp_window_scaling", 1),
    Host("no sack, no timestamps, no scaling", {"net.ipv4.tcp_sack": 0, "net.ipv4.tcp_timestamps": 0,
                                                "net.ipv4.tcp_window_scaling": 0}, listeners=(DEFAULT, SMALL_SEGMENTS)),
    *(sysctl("net.ipv4.tcp_ecn", value) for value in range(3)),
    *(sysctl("net.ipv4.tcp_ecn", value, stack_has=("*AccECN*",), wants="AccECN") for value in range(3, 6)),
    Host("ECN needed", listeners=tuple(controlled_by(each) for each in ("dctcp", "needs_ecn"))),
    Host("ECN needed, tcp_ecn 0", {"net.ipv4.tcp_ecn": 0}, state=LEFT,
         listeners=tuple(controlled_by(each) for each in ("dctcp", "needs_ecn"))),
    sysctl("net.ipv4.tcp_adv_win_scale", 3, DEFAULT, SMALL_BUFFER),
    sysctl("net.ipv4.tcp_adv_win_scale", -2, DEFAULT, SMALL_BUFFER),
    sysctl("net.ipv4.tcp_workaround_signed_windows", 1, DEFAULT, SMALL_BUFFER),
    Host("tcp_reflect_tos 1", {"net.ipv4.tcp_reflect_tos": 1}, listeners=(DEFAULT, MARKED),
         shapes=("TOS 0x10", "TOS 0x48", "TOS 0xfc", "TOS 0x03", "ECN, TOS 0xb8", "ECN, TOS 0x02")),
    sysctl("net.ipv4.tcp_min_snd_mss", 600),
    sysctl("net.ipv4.tcp_mtu_probing", 2),
    sysctl("net.ipv4.tcp_moderate_rcvbuf", 0, DEFAULT, SMALL_BUFFER),
    sysctl("net.ipv4.tcp_shrink_window", 1, DEFAULT, SMALL_BUFFER),
    sysctl("net.ipv4.ip_default_ttl", 99),
    sysctl("net.ipv6.conf.eth0.hop_limit", 99),
    sysctl("net.ipv4.ip_no_pmtu_disc", 1),
    sysctl("net.ipv6.auto_flowlabels", 0),
    sysctl("net.ipv6.flowlabel_reflect", 1),
    sysctl("net.ipv4.tcp_max_syn_backlog", 16),
    Host("somaxconn 1", {"net.core.somaxconn": 1}, short_queue=True),
    sysctl("net.ipv4.tcp_fastopen", 0x603, stack_has=("Fast Open*", "*bytes of data")),
]
