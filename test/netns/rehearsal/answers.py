#!/usr/bin/python3
"""What the host's sockets, routes, links, sysctls and packet filter make of a SYN-ACK shows in the adaptor's, byte for
byte, within a second of the change; for sysctls, which announce nothing, a little later."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from observing import RST, SYN, ObservedTest, Seen  # noqa: E402
from frames import Segment  # noqa: E402
from scene import Scene, main  # noqa: E402

PORT = 9001
PEERS = {4: "203.0.113.9", 6: "2001:db8:77::9"}  # not the client's own: its kernel says nothing for them
NEAR_PEERS = {4: "10.77.0.99", 6: "fd77::99"}  # on the link itself

MSS, SMALL_MSS, SACK = b"\2\4\5\xb4", b"\2\4\2\x18", b"\4\2"
STAMPS, SCALE = b"\x08\x0a\0\0\0\1\0\0\0\0", b"\3\3\7"
ECN, ACCECN = 0xC0, 0x1C0

OFFERS: dict[str, tuple[bytes, int]] = {
    "linux": (MSS + SACK + STAMPS + b"\1" + SCALE, 0),
    "linux, ecn": (MSS + SACK + STAMPS + b"\1" + SCALE, ECN),
    "linux, accecn": (MSS + SACK + STAMPS + b"\1" + SCALE, ACCECN),
    "windows": (MSS + b"\1" + SCALE + b"\1\1" + SACK, 0),
    "windows, ecn": (MSS + b"\1" + SCALE + b"\1\1" + SACK, ECN),
    "small": (SMALL_MSS, 0),
    "nothing": (b"", 0),
    "timestamps alone": (b"\1\1" + STAMPS, 0),
    "no scale": (MSS + SACK + STAMPS, 0),
}


def segment(scene: Scene, source: str, port: int, sequence: int, options: bytes, flags: int) -> bytes:
    """A frame of the client's."""
    target = scene.server.address(6 if ":" in source else 4)
    return Segment(source, target, (port, PORT), flags, sequence, options=options).frame(scene.server.link,
                                                                                         scene.client.link)


Answers = dict[tuple[str, str], object]


@dataclasses.dataclass
class Change:
    """Something about the server that shows in its SYN-ACKs."""

    what: str
    apply: Callable[[], object]
    revert: Callable[[], object]
    served: bool = True  # under it, the adaptor answers


class AnswersTest(ObservedTest):
    @classmethod
    def prepare(cls) -> None:
        cls.listener = cls.servers.add(PORT)
        with cls.scene.inside("client"):
            cls.raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            cls.raw.bind(("eth0", 0))
        cls.addClassCleanup(cls.raw.close)
        for address in NEAR_PEERS.values():
            cls.scene.ip("server", f"neigh replace {address} lladdr {cls.scene.client.link} dev eth0 nud permanent")

    @classmethod
    def further_networks(cls) -> Sequence[str]:
        return "203.0.113.0/24", "2001:db8:77::/64"

    def answers(self) -> Answers:
        """To every offer of every peer."""
        first = len(self.watch.frames)
        asked: dict[tuple[str, int], tuple[str, str]] = {}
        for source in (*PEERS.values(), *NEAR_PEERS.values()):
            for name, (options, flags) in OFFERS.items():
                port = next(p for p in iter(lambda: random.randrange(1024, 61000), None) if (source, p) not in asked)
                asked[source, port] = source, name
                self.raw.send(segment(self.scene, source, port, 1000, options, flags | SYN))

        def heard() -> list[Seen]:
            return [s for s in self.watch.seen_since(first) if (s.target, s.ports[1]) in asked]

        deadline = time.monotonic() + 0.5
        while len(heard()) < len(asked) and time.monotonic() < deadline:
            time.sleep(0.01)
        for source, port in asked:  # leaves nothing half-open: a full queue would make the stack use cookies
            self.raw.send(segment(self.scene, source, port, 1001, b"", RST))
        return {asked[s.target, s.ports[1]]: s.said for s in heard()}

    @contextlib.contextmanager
    def changed(self, change: Change, pause: float) -> Iterator[None]:
        change.apply()
        try:
            time.sleep(pause)
            yield
        finally:
            change.revert()

    def compare_answers(self, changes: Sequence[Change]) -> None:
        number = len(OFFERS) * 4
        usual = self.answers()
        self.assertEqual(len(usual), number)
        plain = []
        for change in changes:
            with self.changed(change, 0.05):
                plain.append(self.answers())
            self.assertNotEqual(plain[-1], usual, f"{change.what} does not show: what is this test about?")
        with self.adapted((PORT,)):
            for change, expected in zip(changes, plain):
                with self.changed(change, self.reaction), self.scene.growth() as grown:
                    found = self.answers()
                self.check(change.what, found, expected)
                self.assertEqual(grown["syn_answered"], number if change.served else 0,
                                 f"{change.what}: {self.scene.endpoint(PORT, 4)}")
            time.sleep(self.reaction)
            with self.scene.growth() as grown:
                self.check("as before", self.answers(), usual)
            self.assertEqual(grown["syn_answered"], number)

    def check(self, what: str, found: Answers, expected: Answers) -> None:
        different = {who: (found.get(who), said) for who, said in expected.items() if found.get(who) != said}
        with self.subTest(change=what):
            self.assertFalse(different, f"{len(different)} answers differ")


class Sockets(AnswersTest):
    """A server started anew, with another option each time."""

    def restarted(self, level: int, option: int, value: int, what: str, *more: tuple[int, int, int]) -> Change:
        def restart(prepare: Callable[[socket.socket], object] | None) -> None:
            self.servers.remove(type(self).listener)
            type(self).listener = self.servers.add(PORT, prepare=prepare)

        def prepare(listener: socket.socket) -> None:
            for each in ((level, option, value), *more):
                listener.setsockopt(*each)

        return Change(what, lambda: restart(prepare), lambda: restart(None))

    def test_options(self) -> None:
        ip, v6, tcp, sol = socket.IPPROTO_IP, socket.IPPROTO_IPV6, socket.IPPROTO_TCP, socket.SOL_SOCKET
        self.compare_answers([
            self.restarted(sol, socket.SO_RCVBUF, 4096, "SO_RCVBUF small"),
            self.restarted(sol, SO_RCVBUFFORCE, 1 << 22, "SO_RCVBUF large"),
            self.restarted(tcp, socket.TCP_MAXSEG, 1000, "TCP_MAXSEG"),
            self.restarted(tcp, socket.TCP_WINDOW_CLAMP, 20000, "TCP_WINDOW_CLAMP"),
            self.restarted(ip, socket.IP_TOS, 0x48, "TOS", (v6, socket.IPV6_TCLASS, 0x48)),
            self.restarted(ip, socket.IP_TTL, 33, "TTL", (v6, socket.IPV6_UNICAST_HOPS, 33)),
        ])


class Network(AnswersTest):
    def ip(self, *words: str) -> Callable[[], object]:
        return lambda: [self.scene.ip("server", each) for each in words]

    def filter(self, statement: str, what: str) -> Change:
        script = f"table inet change {{ chain output {{ type filter hook output priority mangle; {statement}; }}; }}"
        return Change(what, lambda: self.nft(script), lambda: self.nft("delete table inet change"))

    def test_links_and_routes(self) -> None:
        near, far = "-4 route change 10.77.0.0/24 dev eth0 src 10.77.0.2", "-4 route change default via 10.77.0.1"
        near6 = "-6 route replace fd77::/64 dev eth0 metric 256"
        far6 = "-6 route replace default via fd77::1 metric 1024"
        every = (near, far, near6, far6)
        self.compare_answers([
            Change("MTU", self.ip("link set eth0 mtu 1380"), self.ip("link set eth0 mtu 1500")),
            Change("advmss", self.ip(*(f"{route} advmss 1234" for route in every)), self.ip(*every)),
            Change("window", self.ip(*(f"{route} window 20000" for route in every)), self.ip(*every)),
            Change("initrwnd", self.ip(*(f"{route} initrwnd 5" for route in every)), self.ip(*every)),
            # Near and far peers are then answered differently: that is the stack's to do.
            Change("advmss far away", self.ip(f"{far} advmss 1234", f"{far6} advmss 1234"), self.ip(far, far6),
                   served=False),
        ])

    def test_packet_filter(self) -> None:
        self.compare_answers([
            self.filter("tcp flags & (syn | ack) == (syn | ack) tcp option maxseg size set 1300", "clamped MSS"),
            self.filter("ip dscp set cs3; ip6 dscp set cs3", "DSCP"),
            self.filter("ip ttl set 77; ip6 hoplimit set 77", "TTL"),
        ])


class Sysctls(AnswersTest):
    def sysctl(self, name: str, value: str, served: bool = True) -> Change:
        usual = self.scene.run("server", ["sysctl", "-n", name]).stdout.strip()

        def put(what: str) -> Callable[[], object]:
            return lambda: self.scene.run("server", ["sysctl", "-q", "-w", f"{name}={what}"])

        return Change(name, put(value), put(usual), served)

    def test_sysctls(self) -> None:
        self.compare_answers([
            self.sysctl("net.ipv4.tcp_timestamps", "0"),
            self.sysctl("net.ipv4.tcp_sack", "0"),
            self.sysctl("net.ipv4.tcp_window_scaling", "0"),
            self.sysctl("net.ipv4.tcp_ecn", "0"),
            self.sysctl("net.ipv4.tcp_rmem", "4096 20000 40000"),
            self.sysctl("net.ipv4.ip_default_ttl", "99"),
            self.sysctl("net.ipv6.conf.eth0.hop_limit", "99"),
            self.sysctl("net.ipv6.auto_flowlabels", "0"),
        ])


SO_RCVBUFFORCE = 33
del AnswersTest

if __name__ == "__main__":
    main()
