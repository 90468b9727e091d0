#!/usr/bin/python3
"""What two kernels make of a connection that the adaptor handed over: what each knows of the other, how they cut a
request and a reply of 100 kB into segments, and what they have to send again.

The plain kernel does not cut alike each time: where its sender has to wait (for memory, for its own queue), one of the
last segments comes in two. Nor does it always send alike much again, where a small buffer is overrun. So each side has
several attempts, until something is seen on both; how many it took, and how much was sent again, is bounded in all.
"""

from __future__ import annotations

import collections
import contextlib
import fnmatch
import select
import socket
import sys
import threading
import typing
from collections.abc import Iterable, Mapping, Sequence

from asking import PORTS, Interview, Tap
from clients import CLIENTS, TCP_FASTOPEN_CONNECT, Client
from frames import SYN, Segment
from handed_over import Passage, straight
from listeners import HOSTS, TCP, Host
from pair import PairTest, Setting, run
from report import Case, settle
from scene import Scene, receive_exactly
from sockets import state_of, tcp_info
from syns import offered_mss
from terms import terms

BULK, LITTLE = 100_000, 10_000
ATTEMPTS = 40
ENOUGH = 12  # attempts, all alike on each side
ATTEMPTS_USUAL = 4  # at most, on average; two were seen
SENT_AGAIN_BY_CHANCE = 0.5  # segments in an attempt, more than the plain kernel; less than 0.1 were seen
SOURCES = {4: "10.77.0.1", 6: "fd77::1"}

# Windows so small that much would take seconds; segments so small that they overrun every queue.
NARROW = ("SO_RCVBUF 1", "SO_RCVBUF 2048", "SO_RCVBUF 4096", "TCP_WINDOW_CLAMP 1", "TCP_WINDOW_CLAMP 1000",
          "TCP_MAXSEG 88")
# A listener that this peer cannot reach; one that keeps each SYN's ISN.
LEFT_OUT = ("SO_BINDTODEVICE, another", "TCP_SAVE_SYN")
WORTHWHILE = ("default", "MTU *", "route: *", "tcp_rmem 4096 20000 *", "tcp_sack *", "tcp_timestamps *", "tcp_ecn *",
              "tcp_window_scaling *", "no sack, *", "tcp_shrink_window *", "tcp_adv_win_scale *", "tcp_reflect_tos *")

State = dict[str, typing.Any]


class Transfers(PairTest):
    kinds = ("adaptor", "stack")

    def setUp(self) -> None:
        self.attempts = 0
        self.sent_again = [0, 0]  # segments: plain, ours

    def test_every_client_and_every_setup(self) -> None:
        for scene in self.scenes:
            for end in ("client", "server"):
                scene.run(end, ["ethtool", "-K", "eth0", "tso", "off", "gso", "off", "gro", "off"])
        for setting in self.settings(worthwhile(HOSTS)):
            if setting.listener.name not in LEFT_OUT:
                for client in CLIENTS if setting.is_usual else CLIENTS[:2]:
                    self.try_out(setting, client)
        plain, ours = self.sent_again
        print(f"{self.attempts} attempts; segments sent again: plain {plain}, ours {ours}", file=sys.stderr)
        self.assertLess(self.attempts, ATTEMPTS_USUAL * self.report.cases)
        self.assertLess(ours - plain, SENT_AGAIN_BY_CHANCE * self.attempts)
        settle(self.report, __file__, self.record)

    def try_out(self, setting: Setting, client: Client) -> None:
        for scene in self.scenes:
            client.settle(scene)
        for family in setting.listener.families:
            with contextlib.ExitStack() as stack:
                plain, ours = (stack.enter_context(contextlib.closing(Talk(side, setting, client, family)))
                               for side in zip(self.scenes, self.interviews, setting.sockets))
                for _ in range(ATTEMPTS):
                    port = next(PORTS)
                    plain.hold(port)
                    ours.hold(port)
                    if all(plain.is_settled(ours, way) for way in WAYS):
                        break
            self.report.add(Case(setting.group(family), client.name), plain.fields(ours), ours.fields(plain),
                            ours.answerer)
            self.attempts += len(plain.states)
            for side, talk in enumerate((plain, ours)):
                self.sent_again[side] += talk.sent_again


def worthwhile(hosts: Iterable[Host]) -> list[Host]:
    return [each for each in hosts if any(fnmatch.fnmatchcase(each.name, pattern) for pattern in WORTHWHILE)]


REQUEST, REPLY = WAYS = "segments of the request", "segments of the reply"
Side = tuple[Scene, Interview, list[socket.socket]]


class Talk:
    """One client with one listener of one stage, again and again."""

    def __init__(self, side: Side, setting: Setting, client: Client, family: int) -> None:
        self.scene, self.interview, self.sockets = side
        self.setting, self.client, self.family = setting, client, family
        self.length = LITTLE if setting.listener.name in NARROW else BULK
        self.tap = Tap(self.scene, "client", outgoing=True)
        self.passages: dict[str, list[Passage]] = {way: [] for way in WAYS}
        self.states: list[State] = []
        self.answerer = "adaptor"

    def close(self) -> None:
        self.tap.close()

    def hold(self, port: int) -> None:
        """Connects from this port, looks at both ends, and has them exchange a request and a reply."""
        self.tap.take()
        self.interview.far.take()
        with self.connect(port) as near, self.accept() as far:
            self.states.append({**{f"client's {name}": value for name, value in state_of(near).items()},
                                **state_of(far), **self.terms()})
            exchange(near, far, self.length, len(self.first_word))
            ends = tcp_info(near), tcp_info(far)
        if any(segment.flags & SYN and segment.ports[0] == port for segment in self.interview.far.take()):
            self.answerer = "stack"
        segments = self.tap.take()
        for way, end, is_sender in zip(WAYS, ends, (0, 1)):
            sent = [each for each in segments if each.ports[is_sender] == port and each.payload]
            self.passages[way].append(passage(sent, end))

    def is_settled(self, other: Talk, way: str) -> bool:
        """Whether both went alike once, or as each should if it must differ, or evidently never will."""
        if self.common(other, way):
            return True
        if self.largest(way) != other.largest(way):
            return self.straight(way) in self.passages[way] and other.straight(way) in other.passages[way]
        unlike = len(set(self.passages[way])) == len(set(other.passages[way])) == 1
        return unlike and len(self.passages[way]) >= ENOUGH

    def common(self, other: Talk, way: str) -> list[Passage]:
        return [each for each in self.passages[way] if each in other.passages[way]]

    def straight(self, way: str) -> Passage:
        """Nothing cut but by the size of segments, and nothing sent again."""
        return straight(self.passages[way][0].length, self.largest(way))

    def largest(self, way: str) -> int:
        return max(each.cut[0][1] for each in self.passages[way])

    @property
    def sent_again(self) -> int:
        return sum(each.sent_again[1] for passages in self.passages.values() for each in passages)

    def connect(self, port: int) -> socket.socket:
        made = self.scene.socket("client", self.family, self.client.protocol)
        self.client.prepare(made)
        made.bind((SOURCES[self.family], port))
        made.connect((self.setting.target(self.family), self.setting.port))
        if self.first_word:
            made.send(self.first_word)
        return made

    @property
    def first_word(self) -> bytes:
        """Where the server accepts only who speaks, or the client connects only when it does."""
        waits = self.setting.listener.told(TCP, socket.TCP_DEFER_ACCEPT) or self.client.told(TCP, TCP_FASTOPEN_CONNECT)
        return b"!" if waits else b""

    def accept(self) -> socket.socket:
        ready, _, _ = select.select(self.sockets, [], [], 10)
        connection, _ = ready[0].accept()
        connection.settimeout(10)
        return connection

    def terms(self) -> State:
        syn = next(segment for segment in self.tap.take() if segment.flags & SYN)
        known = terms(self.scene, self.setting, self.sockets[0], offered_mss(syn.options), self.family)
        return {**known, "bytes of the reply": self.length}

    def fields(self, other: Talk) -> State:
        """With a passage that both had; or else the straight one, if there was; or else what it mostly was."""
        told = self.states[0]
        for way in WAYS:
            mine = collections.Counter(self.passages[way])
            usual = [self.straight(way)] if self.straight(way) in mine else [mine.most_common(1)[0][0]]
            told = {**told, way: min(self.common(other, way) or usual, key=lambda each: (each.sent_again, each.cut))}
        return told


def exchange(near: socket.socket, far: socket.socket, length: int, already: int) -> None:
    """A request, then a reply."""
    for sender, receiver, more in ((near, far, already), (far, near, 0)):
        worker = threading.Thread(target=sender.sendall, args=(bytes(length),))
        worker.start()
        got = receive_exactly(receiver, length + more)
        worker.join()
        if len(got) != length + more:
            raise AssertionError(f"{len(got)} bytes instead of {length + more}")


def passage(sent: Sequence[Segment], sender: Mapping[str, typing.Any]) -> Passage:
    sizes = {segment.sequence: len(segment.payload) for segment in sent}
    numbers = collections.Counter(sizes.values())
    return Passage(tuple((numbers[size], size) for size in sorted(numbers, reverse=True)),
                   (len(sent) - len(sizes), sender["total_retrans"], sender["bytes_retrans"]))


if __name__ == "__main__":
    run(Transfers)
