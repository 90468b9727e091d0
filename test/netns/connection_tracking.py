#!/usr/bin/python3
"""Connection tracking has not seen the SYN, and sees all of a receive batch before TCP sees the first of it. Nothing is
lost through that: neither what comes in one batch with the ACK, nor a burst that comes later.

The peers are made by hand and send nothing twice: what the server's application reads came through the first time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import socket
import time
import typing
from collections.abc import Iterator

from frames import ACK, FIN, PSH, RST, SYN, Segment, options_of, read_segment
from scene import Scene, SceneTest, main, until

PORT, NARROW = 7000, 7001
CPU = min(os.sched_getaffinity(0))
SOURCES = {4: "10.90.0.{}", 6: "fd90::{:x}"}
PEERS = 40
BURST = 10  # what a peer may send at first (RFC 6928)
SEGMENT = 1000  # bytes
SACK, SACK_PERMITTED = 5, b"\x04\x02\x01\x01"
CLOSED = 7  # TCP_CLOSE

STATEFUL = """
    table inet stateful {
        chain input { type filter hook input priority filter; ct state established accept; ct state invalid drop; }
    }"""
NAT = """
    table inet translating {
        chain prerouting { type nat hook prerouting priority dstnat; tcp dport 7777 redirect to :7778; }
    }"""


class Peer:
    """One connection. Its segments carry no timestamps."""

    numbers = itertools.count(1)

    def __init__(self, scene: Scene, family: int, port: int) -> None:
        number = next(self.numbers)
        self.address = SOURCES[family].format(1 + number % 250)
        self.ports = 10_000 + number, port
        self.target = scene.server.address(family)
        self.isn = number * 2654435761 % 2**32
        self.theirs = 0

    def syn(self) -> Segment:
        return self.segment(SYN, -1, options=b"\x02\x04\x05\xa0" + SACK_PERMITTED)

    def segment(self, flags: int, at: int = 0, payload: bytes = b"", options: bytes = b"") -> Segment:
        """`at`: the place in what the peer has to say."""
        acknowledged = self.theirs + 1 if flags & ACK else 0
        return Segment(self.address, self.target, self.ports, flags, (self.isn + 1 + at) % 2**32, acknowledged % 2**32,
                       options, payload)

    def burst(self, number: int = BURST) -> list[Segment]:
        """One by one: GRO merges none with the next, since that has another TTL."""
        return [dataclasses.replace(self.segment(ACK | PSH, n * SEGMENT, bytes([n + 1]) * SEGMENT), ttl=64 - n % 2)
                for n in range(number)]


def said(segments: list[Segment]) -> bytes:
    return b"".join(segment.payload for segment in segments)


class Link:
    """The client's end of it. Frames sent together are received in one batch: the thread that receives them shares this
    processor, and has no turn before all are there."""

    def __init__(self, scene: Scene) -> None:
        self.links = scene.server.link, scene.client.link
        with scene.inside("client"):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.socket.bind(("eth0", 3))
        self.socket.settimeout(0.01)
        self.heard: list[Segment] = []

    def close(self) -> None:
        self.socket.close()

    def send(self, segments: list[Segment]) -> None:
        frames = [segment.frame(*self.links) for segment in segments]
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        try:
            for frame in frames:
                self.socket.send(frame)
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))

    def listen(self) -> None:
        with contextlib.suppress(TimeoutError):
            while True:
                segment = read_segment(self.socket.recv(65536))
                if segment and segment.ports[0] in (PORT, NARROW):
                    self.heard.append(segment)

    def to(self, peer: Peer) -> list[Segment]:
        self.listen()
        return [segment for segment in self.heard if segment.ports == peer.ports[::-1]]


class TrackingTest(SceneTest):
    rules = ""
    options: tuple[str, ...] = ()
    backlog = 4096

    @classmethod
    def arrange(cls) -> None:
        os.sched_setaffinity(0, {CPU})
        cls.scene.sysctl("server", {"net.core.somaxconn": 4096, "net.ipv4.tcp_timestamps": 0})
        for prefix in ("10.90.0.0/24", "fd90::/64"):
            cls.scene.ip("client", f"-{6 if ':' in prefix else 4} route add blackhole {prefix}")
        if cls.rules:
            cls.scene.run("server", ["nft", cls.rules])
        cls.listener = cls.scene.listen(PORT, 6, cls.backlog)
        cls.listener.settimeout(2)
        cls.addClassCleanup(cls.listener.close)
        cls.scene.run("client", ["ethtool", "-K", "eth0", "tso", "off"])  # or, in generic mode, there are no batches
        cls.scene.pin_receive("server", "eth0", CPU)
        cls.scene.adapt(*cls.options)
        cls.scene.wait_until_served(PORT)
        cls.link = Link(cls.scene)
        cls.addClassCleanup(cls.link.close)

    def setUp(self) -> None:
        self.link.listen()
        self.link.heard.clear()

    def greet(self, family: int, port: int = PORT) -> Peer:
        """A peer that has its SYN-ACK."""
        peer = Peer(self.scene, family, port)
        self.link.send([peer.syn()])
        self.assertTrue(until(lambda: bool(self.link.to(peer)), 2), "no SYN-ACK")
        peer.theirs = self.link.to(peer)[0].sequence
        return peer

    def accept(self) -> socket.socket:
        connection = typing.cast(socket.socket, self.closing(self.listener.accept()[0]))
        connection.settimeout(1)
        return connection

    def take(self, connection: socket.socket, expected: bytes) -> None:
        got = b""
        with contextlib.suppress(TimeoutError):
            while len(got) < len(expected):
                got += connection.recv(65536)
        self.assertEqual(got, expected)

    def refused_insertions(self) -> int:
        lines = self.scene.run("server", ["cat", "/proc/net/stat/nf_conntrack"]).stdout.split("\n")
        column = lines[0].split().index("insert_failed")
        return sum(int(line.split()[column], 16) for line in lines[1:] if line)

    @contextlib.contextmanager
    def nothing_lost(self) -> Iterator[dict[str, int]]:
        before = self.refused_insertions()
        with self.scene.growth() as grown:
            yield grown
        self.assertEqual(self.refused_insertions() - before, 0)
        for segment in self.link.heard:
            self.assertNotIn(SACK, [kind for kind, _ in options_of(segment.options)], "taken out of order")
            self.assertFalse(segment.flags & RST)


    def ack_and(self, number: int) -> dict[str, int]:
        """Peers that send so many segments in one batch with their ACK, one peer after the other."""
        with self.nothing_lost() as grown:
            for family in (4, 6):
                for _ in range(PEERS):
                    peer = self.greet(family)
                    data = peer.burst(number)
                    self.link.send([peer.segment(ACK), *data])
                    with self.accept() as connection:
                        self.take(connection, said(data))
                        connection.close()
                    self.link.listen()
        self.assertEqual(grown["admitted"], 2 * PEERS)
        return grown

    def ack_then_burst(self, pause: float) -> dict[str, int]:
        with self.nothing_lost() as grown:
            for family in (4, 6):
                for _ in range(5):
                    peer = self.greet(family)
                    data = peer.burst()
                    self.link.send([peer.segment(ACK)])
                    time.sleep(pause)
                    self.link.send(data)
                    self.take(self.accept(), said(data))
                    self.link.listen()
        self.assertEqual(grown["admitted"], 10)
        return grown


class FollowersTest(TrackingTest):
    """What is in the batch of the ACK, or right behind it."""

    copies = False  # of the ACK: they go round, too

    def test_data_in_one_batch_with_the_ack(self) -> None:
        self.assertGreaterEqual(self.ack_and(1)["sent_round"], 2 * PEERS)

    def test_a_burst_in_one_batch_with_the_ack(self) -> None:
        """More than the kernel hands up at once (net.core.gro_normal_batch): the last ones find the connection there."""
        self.assertGreaterEqual(self.ack_and(BURST)["sent_round"], 2 * PEERS * BURST)

    def test_a_burst_right_after_the_ack(self) -> None:
        self.ack_then_burst(0)

    def test_a_burst_long_after_the_ack(self) -> None:
        self.ack_then_burst(0.1)

    def test_data_complete_the_handshake(self) -> None:
        """The ACK was lost."""
        with self.nothing_lost():
            for family, number in itertools.product((4, 6), (1, BURST)):
                peer = self.greet(family)
                data = peer.burst(number + BURST)
                connection = self.converse(peer, data[:number])
                self.link.send(data[number:])
                self.take(connection, said(data[number:]))
                self.link.listen()

    def converse(self, peer: Peer, segments: list[Segment]) -> socket.socket:
        self.link.send(segments)
        connection = self.accept()
        self.take(connection, said(segments))
        return connection

    def test_a_fin_in_the_batch(self) -> None:
        with self.nothing_lost():
            for family, number in itertools.product((4, 6), (0, 1, BURST)):
                peer = self.greet(family)
                data = peer.burst(number)
                fin = peer.segment(ACK | FIN, len(said(data)))
                self.assertEqual(self.converse(peer, [peer.segment(ACK), *data, fin]).recv(1), b"")
                self.link.listen()

    def test_a_reset_in_the_batch(self) -> None:
        """It stays behind the data: before them it would be out of place, and be questioned (RFC 5961)."""
        for family, number in itertools.product((4, 6), (0, 1, BURST)):
            with self.nothing_lost():
                peer = self.greet(family)
                data = peer.burst(number)
                self.link.send([peer.segment(ACK), *data, peer.segment(ACK | RST, len(said(data)))])
                connection = self.accept()
                self.assertTrue(until(lambda: self.state(connection) == CLOSED, 1), f"not after {number} segments")
                self.assertLessEqual(len(self.link.to(peer)), 1 + number)

    @staticmethod
    def state(connection: socket.socket) -> int:
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]

    def test_the_peer_is_the_one_who_opened_the_connection(self) -> None:
        """Whether or not data complete the handshake. Rules for connections that the host opens (to masquerade them, say) would
        tear it apart."""
        for family, number in itertools.product((4, 6), (0, 1)):
            with self.nothing_lost():
                peer = self.greet(family)
                connection = self.converse(peer, [peer.segment(ACK, 0, said(peer.burst(number)))])
                self.assertTrue(until(lambda: bool(self.direction(peer)), 1), "not tracked")
                connection.sendall(b"hello")
                self.assertTrue(until(lambda: said(self.link.to(peer)) == b"hello", 1))
                self.assertEqual(self.direction(peer), [f"sport={peer.ports[0]}", f"dport={PORT}"])

    def direction(self, peer: Peer) -> list[str]:
        """To the mind of connection tracking."""
        for line in self.scene.run("server", ["cat", "/proc/net/nf_conntrack"]).stdout.split("\n"):
            ports = [word for word in line.split() if word.partition("=")[0] in ("sport", "dport")][:2]
            if any(word.endswith(f"={peer.ports[0]}") for word in ports):
                return ports
        return []

    def test_connections_that_were_not_built(self) -> None:
        """The accept queue overflows within a batch, and followers come back to find the listener. Nobody is reset; who
        sends again is admitted."""
        with self.scene.listen(NARROW, 6, 1) as narrow:
            self.scene.wait_until_served(NARROW)
            peers = [self.greet(4, NARROW) for _ in range(4)]
            with self.scene.growth() as grown:
                self.link.send([each for peer in peers for each in (peer.segment(ACK), *peer.burst(1))])
                time.sleep(0.05)
            self.assertEqual(grown["not_built"], 2 + 2 * self.copies)
            narrow.settimeout(2)
            for again in ([], peers):
                self.link.send([each for peer in again for each in peer.burst(1)])
                for _ in range(2):
                    self.take(self.closing(narrow.accept()[0]), said(peers[0].burst(1)))
        for peer in peers:
            self.assertFalse([segment for segment in self.link.to(peer) if segment.flags & RST])


class Stateful(FollowersTest):
    rules = STATEFUL

    def test_a_burst_that_is_received_as_one(self) -> None:
        for family in (4, 6):
            with self.nothing_lost() as grown:
                peer = self.greet(family)
                data = [dataclasses.replace(segment, ttl=64, flags=ACK) for segment in peer.burst()]
                self.converse(peer, [peer.segment(ACK), *data])
                self.link.listen()
            self.assertIn(grown["sent_round"], range(1, BURST))


class Translating(FollowersTest):
    rules = NAT
    copies = True


class Generic(Translating):
    options = "--xdp", "generic"


del FollowersTest


class Untracked(TrackingTest):
    """Where nothing is tracked, nothing goes round."""

    def test_nothing_goes_round(self) -> None:
        grown = self.ack_and(BURST)
        self.assertEqual(grown["sent_round"], 0)
        self.assertGreater(grown["just_admitted"], 0)

    def test_until_connection_tracking_is_used(self) -> None:
        for rules in (STATEFUL, NAT):
            self.scene.run("server", ["nft", rules])
            self.assertTrue(until(self.is_sent_round, 5), "still not sent round")
            self.scene.run("server", ["nft", "flush ruleset"])
            self.assertTrue(until(lambda: not self.is_sent_round(), 5), "still sent round")

    def is_sent_round(self) -> bool:
        """What follows an ACK, now."""
        with self.scene.growth() as grown:
            peer = self.greet(4)
            self.link.send([peer.segment(ACK), *peer.burst(1)])
            time.sleep(0.05)
        with contextlib.suppress(TimeoutError):
            self.listener.accept()[0].close()
        return grown["sent_round"] > 0


del TrackingTest


if __name__ == "__main__":
    main()
