#!/usr/bin/python3
"""Third sentence: the state arrives whole. What the host's stack knows of a connection that the adaptor handed over
(TCP_INFO, at both ends) equals what it knows of one that it accepted by itself from the same peer.

        far                               client                              server
       +---------------------+  a link   +--------------------+  veth pair   +---------------------+
       | far0  10.79.0.1/24  |  of some  | far0  10.79.0.2/24 |              | eth0   10.77.0.2/24 |
       |       fd79::1/64    |--length---|       fd79::2/64   |--------------|        fd77::2/64   |
       +---------------------+           | forwards           |              +---------------------+
                                         +--------------------+
"""

from __future__ import annotations

import dataclasses
import socket
import statistics
import typing
from collections.abc import Callable, Iterator

from scene import ECN, Impairment, SACK, TIMESTAMPS, WINDOW_SCALE, SceneTest, TcpInfo, main, tcp_info

PORT = 7000
TRIES = 9
RTT_MS = 100

TAKEN = TIMESTAMPS | SACK | WINDOW_SCALE | ECN


@dataclasses.dataclass(frozen=True)
class Offer:
    """A kind of client: its sysctls and socket options, and what must come of them."""

    title: str
    sysctls: dict[str, int]
    options: int
    mss: int | None = None

    def prepare(self, made: socket.socket) -> None:
        if self.mss:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, self.mss)


USUAL = {"net.ipv4.tcp_timestamps": 1, "net.ipv4.tcp_sack": 1, "net.ipv4.tcp_window_scaling": 1, "net.ipv4.tcp_ecn": 2}
OFFERS = [
    Offer("usual", {}, TIMESTAMPS | SACK | WINDOW_SCALE),
    Offer("ecn", {"net.ipv4.tcp_ecn": 1}, TIMESTAMPS | SACK | WINDOW_SCALE | ECN),
    Offer("no timestamps", {"net.ipv4.tcp_timestamps": 0}, SACK | WINDOW_SCALE),
    Offer("no timestamps, ecn", {"net.ipv4.tcp_timestamps": 0, "net.ipv4.tcp_ecn": 1}, SACK | WINDOW_SCALE | ECN),
    Offer("no sack", {"net.ipv4.tcp_sack": 0}, TIMESTAMPS | WINDOW_SCALE),
    Offer("no window scale", {"net.ipv4.tcp_window_scaling": 0}, TIMESTAMPS | SACK),
    Offer("nothing", {"net.ipv4.tcp_timestamps": 0, "net.ipv4.tcp_sack": 0, "net.ipv4.tcp_window_scaling": 0}, 0),
    Offer("small segments", {}, TIMESTAMPS | SACK | WINDOW_SCALE, 1220),
]

TIMED = ("usual", "ecn")  # those with timestamps tell a cookie's host how far away they are
PLACES = ("client", "far")

Ends = tuple[TcpInfo, TcpInfo]
ENDS = ("server", "peer")
Found = dict[tuple[str, int, str], list[Ends]]


def steady(info: TcpInfo) -> dict[str, int]:
    """All but what time decides, and the receive window, which is compared by itself."""
    told = {**dataclasses.asdict(info), "options": info.options & TAKEN}
    return {name: value for name, value in told.items() if name not in ("rto", "rtt", "rttvar", "rcv_wnd")}


def median(found: Found, ns: str, title: str, family: int, end: int, what: str) -> float:
    """In milliseconds."""
    return statistics.median(getattr(ends[end], what) for ends in found[ns, family, title]) / 1000


class TheStateArrivesWhole(SceneTest):
    """Everything is tried with the plain kernel first, then with the adaptor."""

    plain: typing.ClassVar[Found]
    adapted: typing.ClassVar[Found]
    grown: typing.ClassVar[dict[str, int]]

    @classmethod
    def arrange(cls) -> None:
        scene = cls.scene
        scene.namespace("far")
        scene.impaired("far", "far0", "client", "far0", Impairment(rtt=RTT_MS))
        scene.sysctl("client", {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1})
        for ns, host in (("far", 1), ("client", 2)):
            scene.address(ns, "far0", f"10.79.0.{host}/24", f"fd79::{host}/64")
        for ns in ("server", *PLACES):  # no connection is to know what an earlier one measured
            scene.sysctl(ns, "net.ipv4.tcp_no_metrics_save", 1)
        scene.route("far", "default", "10.79.0.2")
        scene.route("far", "default", "fd79::2")
        cls.listener = scene.listen(PORT, 6)
        cls.addClassCleanup(cls.listener.close)
        cls.plain = cls.all_connections()
        scene.adapt()
        scene.wait_until_served(PORT)
        with scene.growth() as cls.grown:
            cls.adapted = cls.all_connections()

    @classmethod
    def all_connections(cls) -> Found:
        found = {}
        for offer in OFFERS:
            for ns in PLACES:
                cls.scene.sysctl(ns, {**USUAL, **offer.sysctls})
                tries = range(TRIES if offer.title in TIMED else 1)
                for family in (4, 6):
                    found[ns, family, offer.title] = [cls.connection(ns, family, offer.prepare) for _ in tries]
        return found

    @classmethod
    def connection(cls, ns: str, family: int, prepare: Callable[[socket.socket], None]) -> Ends:
        """What server and client know right after the handshake. The client closes first: a port that the server held in
        TIME-WAIT might come round again, and would be the stack's."""
        with cls.scene.connect(PORT, family, prepare=prepare, ns=ns) as near, cls.listener.accept()[0] as far:
            ends = tcp_info(far), tcp_info(near)
            near.close()
            far.recv(1)
            return ends

    def setUp(self) -> None:
        self.assertEqual(self.grown["admitted"], sum(map(len, self.adapted.values())))

    def compare(self, end: int, ns: str) -> None:
        for (where, family, title), plain in self.plain.items():
            if where == ns:
                for adapted in self.adapted[where, family, title]:
                    with self.subTest(peer=title, family=family):
                        self.equal(adapted[end], plain[0][end])

    def equal(self, adapted: TcpInfo, plain: TcpInfo) -> None:
        self.assertEqual(steady(adapted), steady(plain))
        # The kernel rounds a window that it did not announce itself to other segments: its cookies, too.
        self.assertLess(abs(adapted.rcv_wnd - plain.rcv_wnd), adapted.advmss)

    def medians(self, what: str) -> Iterator[tuple[str, float, float]]:
        """Of which peers, at which end; in milliseconds, with the plain kernel and with the adaptor."""
        for case in ((ns, title, family) for ns in PLACES for title in TIMED for family in (4, 6)):
            for end, who in enumerate(ENDS):
                plain, adapted = (median(found, *case, end, what) for found in (self.plain, self.adapted))
                told = "{}, {}, IPv{}, at the {}".format(*case, who)
                print(f"{what}, {told}: plain {plain:.2f} ms, adapted {adapted:.2f} ms")
                yield told, plain, adapted

    def test_the_offers_are_taken_as_meant(self) -> None:
        for offer in OFFERS:
            for family in (4, 6):
                for server, _ in self.adapted["client", family, offer.title]:
                    self.assertEqual(server.options & TAKEN, offer.options, offer.title)

    def test_the_server_knows_the_same_of_its_peer(self) -> None:
        self.compare(0, "client")

    def test_the_server_knows_the_same_of_a_far_peer(self) -> None:
        self.compare(0, "far")

    def test_the_peer_knows_the_same_of_its_server(self) -> None:
        for ns in PLACES:
            self.compare(1, ns)

    def test_the_round_trip_time_is_known_to_a_millisecond(self) -> None:
        for told, plain, adapted in self.medians("rtt"):
            self.assertGreaterEqual(plain, RTT_MS if told.startswith("far") else 0)
            self.assertLessEqual(abs(plain - adapted), 1, told)

    def test_the_retransmission_timer_is_the_same(self) -> None:
        for told, plain, adapted in self.medians("rto"):
            self.assertLess(abs(plain - adapted), 14, told)  # thrice a millisecond and a tick; without the RTT it is 56

    def test_nothing_is_retransmitted(self) -> None:
        for tries in self.adapted.values():
            for server, client in tries:
                self.assertEqual((server.retransmitted, client.retransmitted), (0, 0))


if __name__ == "__main__":
    main()
