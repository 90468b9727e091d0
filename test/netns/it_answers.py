#!/usr/bin/python3
"""First sentence: it answers. Every SYN gets the adaptor's SYN-ACK, and that is the one which the host's own stack
would have sent."""

from __future__ import annotations

import itertools
import random
import time
import typing

from peer import IP, LINUX, TCP, IPv6, Options, Packet, Peer, Wire, by_peer, peers_of, timestamps
from scene import SceneTest, main

PORT = 80
LONGEST_TICK = 10  # of a kernel's timer, milliseconds


class Reading(typing.NamedTuple):
    """Of the adaptor's clock, and of ours before and after: all in milliseconds. Theirs is ours and a constant, secret
    for each pair of addresses."""

    value: int
    sent: int
    read: int


def milliseconds() -> int:
    return time.monotonic_ns() // 1_000_000


def offers() -> list[tuple[Options, str]]:
    """SYNs of many a make: options on and off, in two orders, with and without ECN."""
    made = []
    for mss, scale, sack, stamps, ecn in itertools.product((None, 536, 1460), (None, 0, 7, 14), (0, 1), (0, 1), (0, 1)):
        options: Options = []
        options += [("MSS", mss)] if mss else []
        options += [("SAckOK", b"")] if sack else []
        options += [("Timestamp", (random.randrange(1, 2**32), 0))] if stamps else []
        options += [("NOP", None), ("WScale", scale)] if scale is not None else []
        made.append((list(reversed(options)) if mss == 536 else options, "SEC" if ecn else "S"))
    return made


def syns(wire: Wire, family: int) -> list[tuple[Peer, Packet]]:
    varied = offers()
    peers = peers_of(wire, PORT, len(varied), family)
    return [(peer, peer.syn(options, flags)) for peer, (options, flags) in zip(peers, varied)]


def features(synack: Packet) -> dict[str, typing.Any]:
    """All of a SYN-ACK but the numbers that no two have in common."""
    tcp = synack[TCP]
    said = {"flags": str(tcp.flags), "window": tcp.window, "reserved": tcp.reserved, "urgent": tcp.urgptr,
            "options": [(name, value[1] if name == "Timestamp" else value) for name, value in tcp.options]}
    if IPv6 in synack:
        network = synack[IPv6]
        return {**said, "hops": network.hlim, "class": network.tc, "labelled": network.fl != 0}
    network = synack[IP]
    return {**said, "hops": network.ttl, "class": network.tos, "id": network.id, "fragment": str(network.flags)}


class ItAnswers(SceneTest):
    asked: typing.ClassVar[dict[int, list[tuple[Peer, Packet]]]]
    stack_says: typing.ClassVar[dict[int, dict[tuple[str, int], list[Packet]]]]

    @classmethod
    def arrange(cls) -> None:
        cls.scene.nginx("server", PORT, backlog=4096)
        cls.scene.sysctl("server", {"net.core.somaxconn": 4096})
        cls.wire = Wire(cls.scene)
        cls.addClassCleanup(cls.wire.close)
        cls.asked = {family: syns(cls.wire, family) for family in (4, 6)}
        # First without the adaptor.
        cls.stack_says = {family: cls.answers(family) for family in (4, 6)}
        cls.scene.adapt()
        cls.scene.wait_until_served(PORT)

    @classmethod
    def answers(cls, family: int) -> dict[tuple[str, int], list[Packet]]:
        """Sends all SYNs of a family; what comes back."""
        asked = cls.asked[family]
        cls.wire.silence(0.1)  # what an earlier question drew so late
        cls.wire.send(syn for _, syn in asked)
        answers = by_peer(cls.wire.collect(len(asked), "SA"))
        # A reset each, so that no half-open connection of the stack's is left and none is answered twice.
        cls.wire.send(peer.frame("R", peer.isn + 1, 0, []) for peer, _ in asked)
        return answers

    def answered_by_the_adaptor(self, family: int) -> dict[tuple[str, int], list[Packet]]:
        number = len(self.asked[family])
        with self.scene.growth() as grown, self.scene.protocol_growth("server") as stack:
            answers = self.answers(family)
        self.assertEqual(grown["syn_answered"], number, {name: n for name, n in grown.items() if n})
        self.assertLessEqual(stack["TcpOutSegs"], grown["rehearsal"])
        return answers

    def every_syn_is_answered(self, family: int) -> None:
        answers = self.answered_by_the_adaptor(family)
        for peer, syn in self.asked[family]:
            with self.subTest(offer=syn[TCP].options):
                own = answers.get((peer.address, peer.port), [])
                self.assertEqual(len(own), 1)
                self.assertEqual(own[0][TCP].ack, (peer.isn + 1) % 2**32)
                self.assertEqual({"S", "A"} - set(str(own[0][TCP].flags)), set())

    def every_answer_is_the_stacks_own(self, family: int) -> None:
        answers = self.answered_by_the_adaptor(family)
        for peer, syn in self.asked[family]:
            with self.subTest(offer=syn[TCP].options, flags=str(syn[TCP].flags)):
                who = (peer.address, peer.port)
                self.assertEqual(features(answers[who][0]), features(self.stack_says[family][who][0]))

    def every_checksum_holds(self, family: int) -> None:
        for (answer,) in self.answered_by_the_adaptor(family).values():
            again = answer.copy()
            del again[TCP].chksum
            if IP in again:
                del again[IP].chksum
            self.assertEqual(bytes(again), bytes(answer))

    def test_every_syn_gets_a_syn_ack_from_the_adaptor_v4(self) -> None:
        self.every_syn_is_answered(4)

    def test_every_syn_gets_a_syn_ack_from_the_adaptor_v6(self) -> None:
        self.every_syn_is_answered(6)

    def test_the_answer_is_the_one_that_the_stack_would_give_v4(self) -> None:
        self.every_answer_is_the_stacks_own(4)

    def test_the_answer_is_the_one_that_the_stack_would_give_v6(self) -> None:
        self.every_answer_is_the_stacks_own(6)

    def test_checksums_hold_v4(self) -> None:
        self.every_checksum_holds(4)

    def test_checksums_hold_v6(self) -> None:
        self.every_checksum_holds(6)

    def test_sequence_numbers_do_not_repeat(self) -> None:
        numbers = {answer[TCP].seq for (answer,) in self.answered_by_the_adaptor(4).values()}
        self.assertEqual(len(numbers), len(self.asked[4]))

    def clock_readings(self, syns: int) -> list[Reading]:
        """What the answers to as many SYNs say, all at once and from one address."""
        peer, *_ = peers_of(self.wire, PORT, 1)
        frames = [bytes(Peer(self.wire, peer.address, PORT, port).syn(LINUX)) for port in range(2000, 2000 + syns)]
        sent = milliseconds()
        self.wire.send(frames)
        answers = self.wire.collect(syns, "SA")
        read = milliseconds()
        self.assertEqual(len(answers), syns)
        return [Reading(timestamps(answer)[0], sent, read) for answer in answers]

    def test_a_flood_makes_the_clock_late_by_less_than_a_tick_and_only_while_it_lasts(self) -> None:
        calm = [reading for _ in range(50) for reading in self.clock_readings(1)]
        least = max(reading.value - reading.read for reading in calm)  # what the secret offset is, at least and at most
        most = min(reading.value - reading.sent for reading in calm)
        self.assertIn(most - least, (0, 1))
        for syns in range(1, 41):
            for reading in self.clock_readings(syns):
                self.assertLessEqual(reading.value - reading.read, most, "ahead of time")
                self.assertGreaterEqual(reading.value - reading.sent, least - LONGEST_TICK, "late in a flood")
            time.sleep(2 * LONGEST_TICK / 1000)
            (reading,) = self.clock_readings(1)
            self.assertGreaterEqual(reading.value - reading.sent, least, "late after a flood")


if __name__ == "__main__":
    main()
