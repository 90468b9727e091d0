#!/usr/bin/python3
"""In a flood of strangers, the SYN of a peer that has a connection is still the stack's to judge (RFC 9293 section
3.10.7.4), however the connection came about, and whether or not the control process lives."""

from __future__ import annotations

import contextlib
import itertools
import random
import signal
import socket
import typing
from collections.abc import Iterator, Sequence

from peer import LINUX, Peer, Wire
from scapy.layers.inet import TCP
from scapy.packet import Packet
from scene import Acceptor, SceneTest, main, until

PORT = 7000
CLOSING = 7001  # its server closes first
FAST = 7003
TCP_FASTOPEN = 23
FAST_OPEN_OPTION = 34
PEERS = 20
STRANGERS = 4000
numbers = itertools.count(1)


def peers(wire: Wire, target: int, number: int) -> list[Peer]:
    """None of them was there before; half of them by IPv6."""
    return [Peer(wire, f"fd90::1:{n:x}" if n % 2 else f"10.90.{n >> 8}.{n & 255}", target)
            for n in itertools.islice(numbers, number)]


class Acquaintances(SceneTest):
    wire: typing.ClassVar[Wire]
    before: typing.ClassVar[list[Peer]]
    half_open: typing.ClassVar[list[Peer]]

    @classmethod
    def arrange(cls) -> None:
        cls.wire = Wire(cls.scene)
        cls.addClassCleanup(cls.wire.close)
        listener = cls.scene.listen(PORT, 6)
        cls.addClassCleanup(listener.close)
        closer = Acceptor(cls.scene.listen(CLOSING, 6))
        cls.addClassCleanup(closer.close)
        cls.before = cls.connected(PORT)
        cls.half_open = peers(cls.wire, PORT, PEERS)
        cls.wire.send([peer.syn(LINUX) for peer in cls.half_open])
        cls.scene.adapt()
        for port in (PORT, CLOSING):
            cls.scene.wait_until_served(port)

    @classmethod
    def connected(cls, port: int) -> list[Peer]:
        return [peer for peer, _ in cls.shaken_hands(port)]

    @classmethod
    def shaken_hands(cls, port: int) -> Iterator[tuple[Peer, Packet]]:
        """Connected peers, and the SYN-ACKs they got. They listen to a wire that no crowd has been answered on."""
        with contextlib.closing(Wire(cls.scene)) as wire:
            for peer in peers(wire, port, PEERS):
                yield peer, peer.shake_hands(LINUX)

    def sought_in_a_crowd(self, known: Sequence[Peer]) -> dict[str, int]:
        """What is counted when each of these sends a new SYN, from the midst of as many strangers as make a flood."""
        with self.scene.growth() as grown:
            self.wire.send(self.crowd_around(known))
        return grown

    def crowd_around(self, known: Sequence[Peer]) -> list[bytes]:
        for peer in known:
            peer.isn = random.randrange(1 << 32)
        strangers = [bytes(peer.syn(LINUX)) for peer in peers(self.wire, known[0].target, 200)]
        frames = strangers * (STRANGERS // 200) + [bytes(peer.syn(LINUX)) for peer in known]
        random.Random(1).shuffle(frames)
        return frames

    def assert_known(self, known: Sequence[Peer]) -> None:
        for _ in range(3):
            grown = self.sought_in_a_crowd(known)
            self.assertEqual(grown["existing_connection"], len(known))
            self.assertEqual(grown["syn_answered"], STRANGERS)

    def test_connections_of_the_time_before_the_adaptor_are_known(self) -> None:
        self.assert_known(self.before)

    def test_half_open_connections_of_the_stack_are_known(self) -> None:
        self.assert_known(self.half_open)

    def test_half_open_connections_that_the_adaptor_left_to_the_stack_are_known(self) -> None:
        """TCP Fast Open is the stack's (RFC 7413 section 4.1.1); the SYN that is sent again has no such option any more."""
        self.closing(self.scene.listen(FAST, 6, prepare=lambda one: one.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 64)))
        self.scene.wait_until_served(FAST)
        asking = peers(self.wire, FAST, PEERS)
        with self.scene.growth() as grown:
            self.wire.send([peer.syn([*LINUX, (FAST_OPEN_OPTION, b"")]) for peer in asking])
        self.assertEqual(grown["syn_fast_open"], PEERS)
        self.assert_known(asking)

    def test_connections_that_were_handed_over_are_known(self) -> None:
        with self.scene.growth() as grown:
            handed_over = self.connected(PORT)
        self.assertEqual(grown["admitted"], PEERS)
        self.assert_known(handed_over)

    def test_a_connection_in_time_wait_is_known(self) -> None:
        gone = []
        for peer, synack in self.shaken_hands(CLOSING):
            fin = peer.listen("F")
            assert fin is not None
            peer.wire.send([peer.frame("FA", peer.isn + 1, fin[TCP].seq + 1, peer.ack(synack)[TCP].options)])
            gone.append(peer)
        self.assertTrue(until(lambda: self.in_time_wait() == PEERS, 2))
        grown = self.sought_in_a_crowd(gone)  # the stack may open a connection anew for some of them
        self.assertEqual(grown["existing_connection"], PEERS)

    def in_time_wait(self) -> int:
        return len(self.scene.run("server", ["ss", "-Htn", "state", "time-wait", f"sport = :{CLOSING}"]).stdout.splitlines())

    def test_the_hosts_own_connections_are_known(self) -> None:
        """Bound to the port of a listener, as a proxy may be that speaks from where it listens."""
        def share_the_port(one: socket.socket) -> None:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)

        peer = next(peer for peer in peers(self.wire, 7002, 2) if peer.family == 4)
        own = self.closing(self.scene.socket("server"))
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        share_the_port(own)
        own.bind((self.scene.server.v4, peer.target))
        own.setblocking(False)
        own.connect_ex((peer.address, peer.port))
        self.closing(self.scene.listen(peer.target, 4, prepare=share_the_port))
        self.scene.wait_until_served(peer.target, (4,))
        grown = self.sought_in_a_crowd([peer])
        self.assertEqual(grown["existing_connection"], 1)

    def test_z_all_are_known_though_the_control_process_is_dead(self) -> None:
        assert self.scene.adaptor is not None
        counters = self.scene.counters("server")
        self.assertGreater(counters["admitted"], 0)
        self.scene.adaptor.signal(signal.SIGKILL)
        orphans = self.connected(PORT)
        wire = self.closing(Wire(self.scene))
        wire.send(self.crowd_around(orphans))
        answers = [s for s in wire.segments(1) if any(peer.is_answered_by(s) for peer in orphans)]
        self.assertGreaterEqual(len(answers), 1)  # the stack limits its challenge ACKs (RFC 5961 section 7)
        self.assertEqual([s for s in answers if "S" in str(s[TCP].flags)], [])


if __name__ == "__main__":
    main()
