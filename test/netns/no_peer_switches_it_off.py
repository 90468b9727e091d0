"""No peer can switch the adaptor off for a listener.

The handoff gives a listener back to the stack when the stack resets what it is handed. What the host drops for a reason of
the peer's own making says nothing of the listener: not a checksum that does not hold, not a source that the packet filter
bans. Nor do resets of connections that the stack did build.
"""

from __future__ import annotations

import itertools
import os
import time
import typing
from collections.abc import Callable, Iterator

from peer import LINUX, Packet, Peer, TCP, Wire, peers_of
from scene import Acceptor, Scene, SceneTest, main

PORT = 80
ROUNDS = 40
MANY = 8  # the stack's own resets would be noticed after three
BATCH = 8  # segments pass the handoff before the stack meets the first of them (net.core.gro_normal_batch)
CLOSING = 0.003  # seconds


def with_a_bad_checksum(packet: Packet) -> Packet:
    packet[TCP].chksum = 0x1234
    return packet


def both_ends_close(peer: Peer, synack: Packet) -> list[Packet]:
    """The host has closed. Its FIN is acknowledged, and the peer's own follows, more than once."""
    ack, fin = (peer.frame(flags, peer.isn + 1, synack[TCP].seq + 2, peer.ack(synack)[TCP].options)
                for flags in ("A", "FA"))
    return [ack, *(BATCH - 1) * [fin]]


class Unanswerable(SceneTest):
    """Handshakes completed in form, by segments that the host then drops."""

    wire: Wire
    ports: typing.ClassVar[Iterator[int]] = itertools.count(1)

    @classmethod
    def make(cls) -> Scene:
        return Scene()

    @classmethod
    def arrange(cls) -> None:
        cls.scene.nginx("server", PORT)
        cls.wire = Wire(cls.scene)
        cls.scene.pin_receive("server", "eth0", min(os.sched_getaffinity(0)))  # a thread of its own takes larger batches
        cls.scene.adapt()
        cls.scene.wait_until_served(PORT)

    def complete(self, peers: list[Peer], spoil: Callable[[Packet], Packet] = lambda p: p) -> None:
        for peer in peers:
            self.wire.send([peer.syn(LINUX)])
            synack = peer.listen("SA")
            assert synack is not None
            self.wire.send([spoil(peer.ack(synack, b"GET"))])
            time.sleep(0.05)

    def expect_served(self, admitted: int) -> None:
        self.assertEqual(admitted, MANY, "the segments never reached the handoff's decision")
        endpoint = self.scene.endpoint(PORT, 4)
        self.assertIsNotNone(endpoint)
        self.assertEqual(endpoint["state"], "served", endpoint)

    def test_bad_checksums_do_not(self) -> None:
        with self.scene.growth() as grown:
            self.complete(peers_of(self.wire, PORT, MANY), with_a_bad_checksum)
        self.expect_served(grown["admitted"])

    def test_bad_checksums_followed_by_good_segments_do_not(self) -> None:
        """The follower in the same moment is reset, since no connection was built. That reset is not for what was handed
        over."""
        with self.scene.growth() as grown:
            for peer in peers_of(self.wire, PORT, MANY):
                self.wire.send([peer.syn(LINUX)])
                synack = peer.listen("SA")
                assert synack is not None
                self.wire.send([with_a_bad_checksum(peer.ack(synack)), peer.ack(synack, b"GET")])
                time.sleep(0.05)
        self.expect_served(grown["admitted"])

    def test_a_banned_source_does_not(self) -> None:
        """One address in the packet filter's drop list, as tools that read logs put it there: rehearsals do not meet it."""
        rules = "add table ip ban; add chain ip ban input { type filter hook input priority 0; }; " \
                "add rule ip ban input ip saddr 10.90.0.3 drop"
        self.scene.run("server", ["nft", rules])
        self.addCleanup(self.scene.run, "server", ["nft", "delete table ip ban"])
        time.sleep(1)  # rehearsed anew by now
        with self.scene.growth() as grown:
            self.complete([Peer(self.wire, "10.90.0.3", PORT) for _ in range(MANY)])
        self.expect_served(grown["admitted"])

    def test_segments_behind_the_close_of_a_busy_server_do_not(self) -> None:
        """It accepts and closes at once; what comes then is reset, in buffers that were handed over a moment ago."""
        self.expect_built_in_spite_of_resets(lambda peer, synack: BATCH * [peer.ack(synack, b"GET")])

    def test_segments_behind_connections_that_leave_no_time_wait_do_not(self) -> None:
        """The table is full. What comes in one batch with a connection's end is reset on behalf of the listener."""
        self.scene.sysctl("server", "net.ipv4.tcp_max_tw_buckets", 0)
        self.addCleanup(self.scene.sysctl, "server", "net.ipv4.tcp_max_tw_buckets", 65536)
        self.expect_built_in_spite_of_resets(both_ends_close)

    def expect_built_in_spite_of_resets(self, farewell: Callable[[Peer, Packet], list[Packet]]) -> None:
        port = PORT + next(self.ports)
        acceptor = Acceptor(self.scene.listen(port), lambda connection: None)
        self.addCleanup(acceptor.close)
        self.scene.wait_until_served(port, (4,))
        with self.scene.growth() as grown, self.scene.protocol_growth("server") as stack:
            for _ in range(ROUNDS):
                peers = peers_of(self.wire, port, MANY)
                self.wire.send([peer.syn(LINUX) for peer in peers])
                synacks = [peer.listen("SA") for peer in peers]
                acks = [bytes(peer.ack(synack)) for peer, synack in zip(peers, synacks)]
                late = [[bytes(segment) for segment in farewell(peer, synack)] for peer, synack in zip(peers, synacks)]
                self.wire.send(acks)
                time.sleep(CLOSING)
                for segments in late:
                    self.wire.send(segments)
                time.sleep(0.05)
        self.assertGreaterEqual(grown["admitted"], ROUNDS * MANY)
        self.assertGreater(stack["TcpOutRsts"], 0, "nothing was reset: nothing was shown")
        self.assertEqual(grown["handoff_refused"], 0)
        self.assertEqual(self.scene.endpoint(port, 4)["state"], "served")  # type: ignore[index]


if __name__ == "__main__":
    main()
