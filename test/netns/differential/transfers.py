#!/usr/bin/python3
"""What two kernels make of a connection that the adaptor handed over: what each knows of the other, and how they cut a
request and a reply of 100 kB into segments.

The plain kernel does not cut alike each time. Where its sender had to wait (for memory, for its own queue, for the
window) it splits one of the last segments; how often depends on its first estimate of the round trip, which is coarser
in a connection handed over than this link's 50 microseconds. So each side has several attempts, until one cut is seen
on both. On a busy machine even that may not come; then segments of the same size, and two more or less of them, count
as the same.
"""

from __future__ import annotations

import contextlib
import fnmatch
import select
import socket
import threading
import typing
from collections.abc import Iterable

from asking import PORTS, Interview, Tap
from clients import CLIENTS, TCP_FASTOPEN_CONNECT, Client
from frames import SYN, Segment
from listeners import HOSTS, TCP, Host
from pair import PairTest, Setting, run
from report import Case, settle
from scene import Scene, receive_exactly
from sockets import state_of
from syns import offered_mss

BULK = 100_000
ATTEMPTS = 8
ENOUGH = 3  # attempts that never had a segment of the same size
A_SPLIT_OR_TWO = 2
SOURCES = {4: "10.77.0.1", 6: "fd77::1"}

# Windows so small that a transfer takes seconds; a listener that this peer cannot reach; one that keeps each SYN's ISN.
LEFT_OUT = ("SO_RCVBUF 1", "SO_RCVBUF 2048", "SO_RCVBUF 4096", "TCP_WINDOW_CLAMP 1", "TCP_WINDOW_CLAMP 1000",
            "SO_BINDTODEVICE, another", "TCP_SAVE_SYN")
WORTHWHILE = ("default", "MTU *", "route: *", "tcp_rmem 4096 20000 *", "tcp_sack *", "tcp_timestamps *", "tcp_ecn *",
              "tcp_window_scaling *", "no sack, *", "tcp_shrink_window *", "tcp_adv_win_scale *", "tcp_reflect_tos *")

State = dict[str, typing.Any]


class Transfers(PairTest):
    kinds = ("adaptor", "stack")

    def test_every_client_and_every_setup(self) -> None:
        for scene in self.scenes:
            for end in ("client", "server"):
                scene.run(end, ["ethtool", "-K", "eth0", "tso", "off", "gso", "off", "gro", "off"])
        for setting in self.settings(worthwhile(HOSTS)):
            if setting.listener.name not in LEFT_OUT:
                for client in CLIENTS if setting.is_usual else CLIENTS[:2]:
                    self.try_out(setting, client)
        settle(self.report, __file__, self.record)

    def try_out(self, setting: Setting, client: Client) -> None:
        for scene in self.scenes:
            client.settle(scene)
        for family in setting.listener.families:
            with contextlib.ExitStack() as stack:
                talks = [stack.enter_context(contextlib.closing(Talk(side, setting, client, family)))
                         for side in zip(self.scenes, self.interviews, setting.sockets)]
                for attempt in range(ATTEMPTS):
                    port = next(PORTS)
                    for talk in talks:
                        talk.hold(port)
                    if all(talks[0].is_settled(talks[1], way, attempt) for way in WAYS):
                        break
            fields = [talk.fields(other) for talk, other in zip(talks, reversed(talks))]
            self.report.add(Case(setting.group(family), client.name), *fields, talks[1].answerer)


def worthwhile(hosts: Iterable[Host]) -> list[Host]:
    return [each for each in hosts if any(fnmatch.fnmatchcase(each.name, pattern) for pattern in WORTHWHILE)]


REQUEST, REPLY = WAYS = "segments of the request", "segments of the reply"
Side = tuple[Scene, Interview, list[socket.socket]]


class Talk:
    """One client with one listener of one stage, again and again."""

    def __init__(self, side: Side, setting: Setting, client: Client, family: int) -> None:
        self.scene, self.interview, self.sockets = side
        self.setting, self.client, self.family = setting, client, family
        self.tap = Tap(self.scene, "client", outgoing=True)
        self.cuts: dict[str, set[Cut]] = {way: set() for way in WAYS}
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
            exchange(near, far, len(self.first_word))
        if any(segment.flags & SYN and segment.ports[0] == port for segment in self.interview.far.take()):
            self.answerer = "stack"
        segments = self.tap.take()
        self.cuts[REQUEST].add(cut(each for each in segments if each.ports[0] == port))
        self.cuts[REPLY].add(cut(each for each in segments if each.ports[1] == port))

    def is_settled(self, other: Talk, way: str, attempt: int) -> bool:
        """Whether both cut alike once, or evidently never will."""
        return bool(self.cuts[way] & other.cuts[way]) or (attempt >= ENOUGH and self.largest(way) != other.largest(way))

    def largest(self, way: str) -> int:
        return max(max(each) for each in self.cuts[way])

    def fewest(self, way: str) -> int:
        return min(len(each) for each in self.cuts[way])

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
        """What the bounds of an accepted difference depend on: how large client and listener let segments be."""
        syn = next(segment for segment in self.tap.take() if segment.flags & SYN)
        offered = offered_mss(syn.options)
        most = self.setting.listener.told(TCP, socket.TCP_MAXSEG) or offered
        return {"segments offered": min(offered, most), "family": self.family}

    def fields(self, other: Talk) -> State:
        return {**self.states[0], **{way: self.way_to_cut(other, way) for way in WAYS}}

    def way_to_cut(self, other: Talk, way: str) -> object:
        """The largest segment, where both cut alike; else all that we saw."""
        alike = (self.largest(way) == other.largest(way)
                 and abs(self.fewest(way) - other.fewest(way)) <= A_SPLIT_OR_TWO)
        if alike or self.cuts[way] & other.cuts[way]:
            return self.largest(way)
        return sorted(map(described, self.cuts[way]))


def exchange(near: socket.socket, far: socket.socket, already: int) -> None:
    """A request, then a reply."""
    for sender, receiver, length in ((near, far, BULK + already), (far, near, BULK)):
        worker = threading.Thread(target=sender.sendall, args=(bytes(BULK),))
        worker.start()
        got = receive_exactly(receiver, length)
        worker.join()
        if len(got) != length:
            raise AssertionError(f"{len(got)} bytes instead of {length}")


Cut = tuple[int, ...]


def cut(segments: Iterable[Segment]) -> Cut:
    """The sizes of the segments, the largest first; those sent again count once."""
    sizes = {segment.sequence: len(segment.payload) for segment in segments if segment.payload}
    return tuple(sorted(sizes.values(), reverse=True))


def described(found: Cut) -> str:
    return ", ".join(f"{found.count(size)} x {size}" for size in sorted(set(found), reverse=True))


if __name__ == "__main__":
    run(Transfers)
