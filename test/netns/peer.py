"""Peers made by hand, frame by frame. The client's kernel does not own their addresses: it resets nothing of theirs."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import random
import socket
import time
import typing
from collections.abc import Iterable, Iterator

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw

from scene import Scene

Options = list[tuple[str, typing.Any]]

WINDOWS: Options = [("MSS", 1460), ("NOP", None), ("WScale", 8), ("NOP", None), ("NOP", None), ("SAckOK", b"")]
LINUX: Options = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1000, 0)), ("NOP", None), ("WScale", 7)]

ALL_PROTOCOLS = 3  # ETH_P_ALL
OUTGOING = 4  # PACKET_OUTGOING


class Wire:
    """The client's end of the link, in frames."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        with scene.inside("client"):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
            self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
            self.socket.bind((scene.client.interface, ALL_PROTOCOLS))

    def close(self) -> None:
        self.socket.close()

    def send(self, packets: Iterable[Packet | bytes]) -> None:
        for frame in [bytes(packet) for packet in packets]:
            self.socket.send(frame)

    def frames(self, timeout: float) -> Iterator[Packet]:
        """What arrives until the time is up."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data, (_, _, direction, _, _) = self.socket.recvfrom(65536)
            except TimeoutError:
                return
            if direction != OUTGOING:
                yield Ether(data)

    def segments(self, timeout: float) -> Iterator[Packet]:
        return (frame for frame in self.frames(timeout) if TCP in frame)

    def silence(self, seconds: float = 0.3) -> list[Packet]:
        """The TCP segments that arrive although none should."""
        return list(self.segments(seconds))

    def collect(self, number: int, flags: str = "", timeout: float = 5) -> list[Packet]:
        """The first so many segments that carry all these flags."""
        wanted = (s for s in self.segments(timeout) if all(flag in str(s[TCP].flags) for flag in flags))
        return list(itertools.islice(wanted, number))


@dataclasses.dataclass
class Peer:
    """One end of one connection. The other end is the server's `target`."""

    wire: Wire
    address: str
    target: int
    port: int = dataclasses.field(default_factory=lambda: random.randrange(1024, 65536))
    isn: int = dataclasses.field(default_factory=lambda: random.randrange(1 << 32))
    network: dict[str, typing.Any] = dataclasses.field(default_factory=dict)  # fields of the IP header
    headers: Packet | None = None  # between the IPv6 header and TCP
    vlan: int | None = None
    station: str = ""  # who hands over its frames; the client, unless told otherwise

    @property
    def family(self) -> int:
        return 6 if ":" in self.address else 4

    def syn(self, options: Options, flags: str = "S") -> Packet:
        return self.frame(flags, self.isn, 0, options)

    def ack(self, synack: Packet, payload: bytes = b"") -> Packet:
        """The segment that completes the handshake."""
        echo = timestamps(synack)
        options: Options = [("NOP", None), ("NOP", None), ("Timestamp", (echo[1] + 1, echo[0]))] if echo else []
        return self.frame("PA" if payload else "A", self.isn + 1, synack[TCP].seq + 1, options, payload)

    def frame(self, flags: str, seq: int, ack: int, options: Options, payload: bytes = b"") -> Packet:
        scene = self.wire.scene
        packet = Ether(src=self.station or scene.client.link, dst=scene.server.link)
        if self.vlan is not None:
            packet /= Dot1Q(vlan=self.vlan)
        packet /= self._network(scene.server.address(self.family))
        packet /= TCP(sport=self.port, dport=self.target, flags=flags, seq=seq % 2**32, ack=ack % 2**32,
                      window=64240, options=options)
        return packet / Raw(payload) if payload else packet

    def _network(self, destination: str) -> Packet:
        if self.family == 4:
            return IP(**{"src": self.address, "dst": destination, "flags": "DF", **self.network})
        network = IPv6(**{"src": self.address, "dst": destination, **self.network})
        return network / self.headers if self.headers else network

    def is_answered_by(self, segment: Packet) -> bool:
        source = segment[IPv6 if self.family == 6 else IP].dst if (IPv6 in segment) == (self.family == 6) else None
        return source == self.address and segment[TCP].dport == self.port

    def listen(self, flags: str, timeout: float = 2) -> Packet | None:
        """The next segment to this peer that carries all these flags; None: there is none."""
        for segment in self.wire.segments(timeout):
            if self.is_answered_by(segment) and all(flag in str(segment[TCP].flags) for flag in flags):
                return segment
        return None

    def shake_hands(self, options: Options, payload: bytes = b"", flags: str = "S") -> Packet:
        """Opens the connection; returns the SYN-ACK."""
        self.wire.send([self.syn(options, flags)])
        synack = self.listen("SA")
        if synack is None:
            raise AssertionError(f"no SYN-ACK for {self.address}")
        self.wire.send([self.ack(synack, payload)])
        return synack


def timestamps(segment: Packet) -> tuple[int, int] | None:
    """TSval and TSecr."""
    return next((value for name, value in segment[TCP].options if name == "Timestamp"), None)


def peers_of(wire: Wire, target: int, number: int, family: int = 4) -> list[Peer]:
    """As many different peers, all behind the client."""
    base = "fd90::1:{:x}" if family == 6 else "10.90.{}"
    return [Peer(wire, base.format(n + 1 if family == 6 else f"{n >> 8}.{n & 255}"), target) for n in range(number)]


def by_peer(segments: Iterable[Packet]) -> dict[tuple[str, int], list[Packet]]:
    """The segments that came for each (address, port)."""
    found: dict[tuple[str, int], list[Packet]] = collections.defaultdict(list)
    for segment in segments:
        network = segment[IPv6] if IPv6 in segment else segment[IP]
        found[network.dst, segment[TCP].dport].append(segment)
    return found
