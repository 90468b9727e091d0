#!/usr/bin/python3
"""Peers of other makes: without timestamps, without DF, with IPv4 options or IPv6 extension headers, without an MSS.
What the server's stack knows of each is what it knows without the adaptor."""

from __future__ import annotations

import dataclasses
import itertools
import socket
import typing

from scapy.layers.inet import IPOption_NOP, IPOption_RR
from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, PadN
from scapy.packet import Packet

from peer import LINUX, TCP, WINDOWS, Options, Peer, Wire
from scene import ECN, SACK, TIMESTAMPS, WINDOW_SCALE, SceneTest, TcpInfo, main, receive_exactly, tcp_info

PORT = 7000
REQUEST = b"GET / HTTP/1.0\r\n\r\n"
TAKEN = TIMESTAMPS | SACK | WINDOW_SCALE | ECN


@dataclasses.dataclass(frozen=True)
class Make:
    """A kind of peer; `expected` are the fields of TCP_INFO that must come of it."""

    options: Options
    expected: dict[str, int]
    flags: str = "S"
    network: dict[str, typing.Any] = dataclasses.field(default_factory=dict)
    headers: Packet | None = None
    families: tuple[int, ...] = (4, 6)


def without(name: str, options: Options) -> Options:
    return [option for option in options if option[0] != name]


KEPT = {"options": SACK | WINDOW_SCALE, "peer_shift": 8}
USUAL = {"options": TIMESTAMPS | SACK | WINDOW_SCALE, "peer_shift": 7}
HOP_BY_HOP = IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0\0\0\0")])
MAKES = {
    "windows": Make(WINDOWS, {**KEPT, "snd_mss": 1460}, families=(4,)),
    "windows, IPv6": Make([("MSS", 1440), *WINDOWS[1:]], {**KEPT, "snd_mss": 1440}, families=(6,)),
    "windows, ECN": Make(WINDOWS, {**KEPT, "options": SACK | WINDOW_SCALE | ECN}, flags="SEC"),
    "no DF": Make(LINUX, USUAL, network={"flags": 0}, families=(4,)),
    "no DF, with an identification": Make(WINDOWS, KEPT, network={"flags": 0, "id": 4711}, families=(4,)),
    "IPv4 options": Make(LINUX, USUAL, network={"options": [IPOption_NOP()] * 4}, families=(4,)),
    "IPv4 record route": Make(LINUX, USUAL, network={"options": [IPOption_RR(length=11, routers=["0.0.0.0"] * 2)]},
                              families=(4,)),
    "IPv6 hop-by-hop options": Make(LINUX, USUAL, headers=HOP_BY_HOP, families=(6,)),
    "IPv6 two extension headers": Make(WINDOWS, KEPT, headers=HOP_BY_HOP / IPv6ExtHdrDestOpt(
        options=[PadN(optdata=b"\0\0\0\0")]), families=(6,)),
    "no MSS, IPv4": Make(without("MSS", WINDOWS), {**KEPT, "snd_mss": 536}, families=(4,)),
    "no MSS, IPv6": Make(without("MSS", WINDOWS), {**KEPT, "snd_mss": 1220}, families=(6,)),
    "no MSS, timestamps": Make(without("MSS", LINUX), {**USUAL, "snd_mss": 536 - 12}, families=(4,)),
    "nothing at all": Make([], {"options": 0, "snd_mss": 536, "peer_shift": 0}, families=(4,)),
    "a shift beyond the greatest": Make([("MSS", 1460), ("NOP", None), ("WScale", 15)],
                                        {"options": WINDOW_SCALE, "peer_shift": 14}),
}
CASES = [(title, family) for title, make in MAKES.items() for family in make.families]

# What the stack knows after the request; times and windows it has opened since are left out.
COMPARED = ("options", "peer_shift", "local_shift", "snd_mss", "advmss", "pmtu", "snd_wnd", "snd_cwnd", "retransmitted")


class Peers(SceneTest):
    plain: typing.ClassVar[dict[tuple[str, int], TcpInfo]]
    adapted: typing.ClassVar[dict[tuple[str, int], TcpInfo]]
    grown: typing.ClassVar[dict[str, int]]

    @classmethod
    def arrange(cls) -> None:
        cls.listener = cls.scene.listen(PORT, 6)
        cls.addClassCleanup(cls.listener.close)
        cls.wire = Wire(cls.scene)
        cls.addClassCleanup(cls.wire.close)
        cls.plain = {case: cls.meet(number, *case) for number, case in enumerate(CASES)}
        cls.scene.adapt()
        cls.scene.wait_until_served(PORT)
        with cls.scene.growth() as cls.grown:
            cls.adapted = {case: cls.meet(100 + number, *case) for number, case in enumerate(CASES)}

    @classmethod
    def meet(cls, host: int, title: str, family: int) -> TcpInfo:
        """Such a peer connects and sends a request; what the server's stack knows of it."""
        make = MAKES[title]
        address = f"fd90::{host + 1:x}" if family == 6 else f"10.90.0.{host + 1}"
        peer = Peer(cls.wire, address, PORT, network=make.network, headers=make.headers)
        peer.shake_hands(make.options, REQUEST, make.flags)
        connection = cls.listener.accept()[0]
        with connection:
            connection.settimeout(5)
            assert receive_exactly(connection, len(REQUEST)) == REQUEST, title
            return tcp_info(connection)

    def test_every_peer_was_met_by_the_adaptor(self) -> None:
        self.assertEqual((self.grown["syn_answered"], self.grown["admitted"]), (len(CASES), len(CASES)))

    def test_peers_without_timestamps_keep_window_scale_and_sack(self) -> None:
        for case in (("windows", 4), ("windows, IPv6", 6)):
            info = self.adapted[case]
            self.assertEqual((info.options & TAKEN, info.peer_shift), (SACK | WINDOW_SCALE, 8))

    def test_every_peer_gets_what_it_offers(self) -> None:
        for case in CASES:
            with self.subTest(peer=case):
                info = dataclasses.asdict(self.adapted[case])
                info["options"] &= TAKEN
                expected = MAKES[case[0]].expected
                self.assertEqual({name: info[name] for name in expected}, expected)

    def test_the_stack_knows_of_every_peer_what_it_knows_without_the_adaptor(self) -> None:
        for case in CASES:
            with self.subTest(peer=case):
                self.assertEqual(*({name: getattr(info, name) for name in COMPARED}
                                   for info in (self.adapted[case], self.plain[case])))

    def test_the_server_can_send_to_a_peer_without_timestamps(self) -> None:
        peer = Peer(self.wire, "10.90.0.250", PORT)
        peer.shake_hands(WINDOWS, REQUEST)
        connection = self.closing(self.listener.accept()[0])
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(bytes(4000))
        data = (s for s in self.wire.segments(5) if peer.is_answered_by(s) and s[TCP].payload)
        segments = list(itertools.islice(data, 2))
        self.assertEqual([len(s[TCP].payload) for s in segments], [1460, 1460])
        self.assertEqual({tuple(s[TCP].options) for s in segments}, {()})


if __name__ == "__main__":
    main()
