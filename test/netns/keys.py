#!/usr/bin/python3
"""Keys are replaced while handshakes are in flight: none is lost. A cookie that has outlived its key is refused, and
so is one that never was ours."""

from __future__ import annotations

import random
import time
import typing

from peer import LINUX, TCP, WINDOWS, Options, Packet, Peer, Wire, by_peer, peers_of
from scene import Acceptor, SceneTest, main, until
from traffic import connect_times, invite

PORT = 7000
WEB = 80
ROTATION = 2  # seconds
OFFERS = (LINUX, WINDOWS)
CONNECTIONS, SECONDS = 8_000, 4
VISITORS = "10.78.0.0/24"
IN_FLIGHT = 200


class ManyConnections(SceneTest):
    @classmethod
    def arrange(cls) -> None:
        cls.scene.nginx("server", WEB, backlog=4096)
        cls.scene.sysctl("server", "net.core.somaxconn", 4096)
        cls.scene.own("client", VISITORS)
        cls.scene.adapt("--key-rotation", 1)
        cls.scene.wait_until_served(WEB)

    def test_thousands_of_connections_under_ever_new_keys_and_none_lost(self) -> None:
        with self.scene.growth() as grown, self.scene.protocol_growth("server") as server, \
                self.scene.protocol_growth("client") as client:
            times = connect_times(invite(self.scene, VISITORS, CONNECTIONS / SECONDS, SECONDS))
        print(f"{grown['admitted']} connections in {SECONDS} seconds, keys replaced every second; the adaptor counted "
              f"{ {reason: number for reason, number in grown.items() if number} }")
        self.assertEqual((len(times), times.count(None)), (CONNECTIONS, 0))
        self.assertEqual(server["TcpPassiveOpens"], CONNECTIONS)
        self.assertGreaterEqual(grown["admitted"], CONNECTIONS * 99 // 100)  # a few SYNs may have been the stack's
        self.assertEqual(grown["cookie_invalid"] + grown["first_segments_lost"], 0)
        self.assertEqual(client["TcpRetransSegs"], 0)
        self.assertLessEqual(server["TcpOutRsts"], grown["rehearsal"])  # a rehearsal's stray ACK is answered with one


class Keys(SceneTest):
    @classmethod
    def arrange(cls) -> None:
        cls.acceptor = Acceptor(cls.scene.listen(PORT, 6, backlog=4096))
        cls.addClassCleanup(cls.acceptor.close)
        cls.addClassCleanup(cls.scene.listen(WEB, 6).close)
        cls.scene.adapt("--key-rotation", ROTATION)
        cls.scene.wait_until_served(PORT)
        cls.scene.wait_until_served(WEB)

    def setUp(self) -> None:
        self.wire = self.closing(Wire(self.scene))

    def key_age(self) -> int:
        return typing.cast(int, self.scene.status("server")["key_age_seconds"])

    def wait_for_new_keys(self) -> None:
        before = self.key_age()
        deadline = time.monotonic() + 2 * ROTATION
        while (age := self.key_age()) >= before:
            before = age
            self.assertLess(time.monotonic(), deadline, "the keys are never replaced")
            time.sleep(0.02)

    def syn_acks(self, peers: list[Peer], options: Options) -> list[Packet]:
        """Each peer's SYN-ACK."""
        self.wire.send(peer.syn(options) for peer in peers)
        answers = by_peer(self.wire.collect(len(peers), "SA"))
        return [answers[peer.address, peer.port][0] for peer in peers]

    def test_handshakes_that_a_rotation_overtakes_are_completed(self) -> None:
        accepted = self.acceptor.accepted
        peers = [peers_of(self.wire, PORT, IN_FLIGHT) for _ in OFFERS]
        self.wait_for_new_keys()
        synacks = [self.syn_acks(group, options) for group, options in zip(peers, OFFERS)]
        self.wait_for_new_keys()
        with self.scene.growth() as grown:
            for group, answers in zip(peers, synacks):
                self.wire.send(peer.ack(answer) for peer, answer in zip(group, answers))
            number = len(OFFERS) * IN_FLIGHT
            until(lambda: self.acceptor.accepted - accepted == number, 3)
        self.assertEqual((grown["admitted"], grown["cookie_invalid"], self.acceptor.accepted - accepted),
                         (number, 0, number))

    def test_a_cookie_that_two_rotations_overtake_is_refused_with_a_reset(self) -> None:
        accepted = self.acceptor.accepted
        peers = peers_of(self.wire, PORT, 3, 4) + peers_of(self.wire, PORT, 3, 6)
        synacks = self.syn_acks(peers, WINDOWS)
        self.wait_for_new_keys()
        self.wait_for_new_keys()
        with self.scene.growth() as grown:
            self.wire.send(peer.ack(synack, b"late") for peer, synack in zip(peers, synacks))
            resets = by_peer(self.wire.collect(len(peers), "R"))
        self.assertEqual((grown["cookie_invalid"], grown["admitted"]), (len(peers), 0))
        self.assertEqual(set(resets), {(peer.address, peer.port) for peer in peers})
        self.assertEqual(self.acceptor.accepted, accepted)

    def test_a_peer_with_timestamps_is_refused_in_silence_while_its_handshake_is_young(self) -> None:
        """It may be one whose first segments were lost: a reset would kill it."""
        (peer,) = peers_of(self.wire, PORT, 1)
        (synack,) = self.syn_acks([peer], LINUX)
        self.wait_for_new_keys()
        self.wait_for_new_keys()
        with self.scene.growth() as grown:
            self.wire.send([peer.ack(synack, b"late")])
            self.assertIsNone(peer.listen("", 0.5))
        self.assertEqual((grown["first_segments_lost"], grown["cookie_invalid"], grown["admitted"]), (1, 0, 0))

    def test_forged_acks_are_refused_with_a_reset(self) -> None:
        number, accepted = 2_000, self.acceptor.accepted
        peers = peers_of(self.wire, PORT, number)
        with self.scene.growth() as grown:
            self.wire.send(peer.frame("A", peer.isn, random.randrange(2**32), []) for peer in peers)
            resets = by_peer(self.wire.collect(number, "R"))
        self.assertEqual((grown["cookie_invalid"], grown["admitted"]), (number, 0))
        self.assertEqual(self.acceptor.accepted, accepted)
        self.assertEqual({str(reset[TCP].flags) for (reset,) in resets.values()}, {"R"})

    def test_a_cookie_is_good_for_its_own_peer_only(self) -> None:
        peer = Peer(self.wire, "10.90.7.8", PORT)
        (synack,) = self.syn_acks([peer], WINDOWS)
        thieves = [Peer(self.wire, "10.90.7.9", PORT, peer.port, peer.isn),  # another address
                   Peer(self.wire, peer.address, PORT, peer.port ^ 1, peer.isn),  # another port
                   Peer(self.wire, peer.address, WEB, peer.port, peer.isn),  # another listener
                   Peer(self.wire, peer.address, PORT, peer.port, peer.isn + 1)]  # another sequence number
        with self.scene.growth() as grown:
            self.wire.send(thief.ack(synack) for thief in thieves)
            self.wire.send([peer.ack(synack)])
        self.assertEqual((grown["cookie_invalid"], grown["admitted"]), (len(thieves), 1))


if __name__ == "__main__":
    main()
