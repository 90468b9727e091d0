#!/usr/bin/python3
"""The first estimate of the round trip: within a millisecond of the truth, as the plain kernel's. What is true is read
off the wire, at the peer. And what follows from it: variation, least round trip and retransmission time-out."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import statistics
import struct
import time
import typing
from collections.abc import Iterable, Iterator, Sequence

from asking import Interview, Question, Tap
from frames import ACK, SYN, Segment, read_segment
from listeners import DEFAULT, LISTENERS, Host
from pair import PairTest, Setting, run
from report import Case, settle
from sockets import tcp_info
from syns import Shape, named, stamps

DELAYS_MS = (0, 3, 30, 250)
TRIES = 7
SHAPES = ("Linux", "macOS", "nmap probe 6", "Windows 10", "4.3BSD")
BUFFERED = next(each for each in LISTENERS if each.name == "SO_RCVBUF 65536")

SO_TIMESTAMPNS = 35
CLOSE_US = 1000
LEAST_VARIATION_US = 200_000
TICK_US = 10_000  # of the kernel, at the slowest
ROUNDING_US = 2

Moments = dict[tuple[int, bool], float]  # by the peer's port, and whether the peer sent it: seconds


class TimedTap(Tap):
    """Says when each segment passed."""

    def __init__(self, *where: typing.Any) -> None:
        super().__init__(*where, outgoing=True)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    def moments(self, port: int) -> Moments:
        """Of the server's SYN-ACKs from this port, and of the ACKs that complete."""
        found: Moments = {}
        for segment, when in self._timed():
            if segment.flags & (SYN | ACK) == SYN | ACK and segment.ports[0] == port:
                found[segment.ports[1], False] = when
            if segment.flags == ACK and segment.ports[1] == port:
                found[segment.ports[0], True] = when
        return found

    def _timed(self) -> Iterator[tuple[Segment, float]]:
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, ancillary, _, _ = self.socket.recvmsg(65536, 256)
                seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2])
                segment = read_segment(frame)
                if segment:
                    yield segment, seconds + nanoseconds / 1e9


@dataclasses.dataclass
class Estimate:
    """Of one handshake, in microseconds."""

    rtt: int
    rttvar: int
    min_rtt: int
    rto: int
    truth: float

    @property
    def error(self) -> float:
        return abs(self.rtt - self.truth)

    @property
    def time_out(self) -> float:
        """After the first sample (RFC 6298 section 2.2), with the kernel's least of 200 ms for the variation."""
        return self.rtt + max(LEAST_VARIATION_US, 4 * self.rtt / 2)


class RoundTrips(PairTest):
    kinds = ("adaptor", "stack")

    def test_every_delay(self) -> None:
        with contextlib.ExitStack() as stack:
            taps = [stack.enter_context(contextlib.closing(TimedTap(scene, "client"))) for scene in self.scenes]
            for setting in self.settings([Host("default", listeners=(DEFAULT, BUFFERED))]):
                for family in (4, 6):
                    for delay in DELAYS_MS:
                        self.compare(setting, family, delay, taps)
        settle(self.report, __file__, self.record)

    def compare(self, setting: Setting, family: int, delay: int, taps: Sequence[TimedTap]) -> None:
        shapes = named(*SHAPES)
        questions = [question for _ in range(TRIES) for question in setting.questions(family, shapes)]
        with self.scenes[1].growth() as grown:
            plain, ours = (estimates(side, tap, sockets[0], questions, delay)
                           for side, tap, sockets in zip(self.interviews, taps, setting.sockets))
        self.assertEqual(grown["admitted"], len(questions))
        for shape in shapes:
            case = Case(f"{delay} ms, {setting.group(family)}", shape.name)
            self.report.add(case, told(plain[shape], shape), told(ours[shape], shape), "adaptor")


def estimates(side: Interview, tap: TimedTap, listener: socket.socket, questions: Sequence[Question],
              delay: int) -> dict[Shape, list[Estimate]]:
    """Of the handshakes of each shape, the peer waiting so long in the midst of each."""
    tap.take()
    replies = side.open(questions)
    time.sleep(delay / 1000)
    side.send(question.completion(reply.segment) for question, reply in replies.items() if reply.segment)
    known = {}
    for _ in questions:
        connection, name = listener.accept()
        with connection:
            known[name[1]] = tcp_info(connection)
    moments = tap.moments(questions[0].port)
    side.send(question.reset() for question in questions)
    found: dict[Shape, list[Estimate]] = {}
    for question in questions:
        port, info = question.source_port, known[question.source_port]
        made = (int(info[name]) for name in ("rtt", "rttvar", "min_rtt", "rto"))
        truth = (moments[port, True] - moments[port, False]) * 1e6
        found.setdefault(question.shape, []).append(Estimate(*made, truth))
    return found


def told(found: Sequence[Estimate], shape: Shape) -> dict[str, typing.Any]:
    """In figures only what is not as it should be; and whether the peer sends timestamps, for accepted.py. A busy
    machine delays some handshakes on the way, so half of them may be off the truth; what follows is exact in all."""
    true = all(each.rtt for each in found) and statistics.median(each.error for each in found) <= CLOSE_US
    halves = all(abs(each.rttvar - each.rtt / 2) <= ROUNDING_US for each in found)
    same = all(abs(each.min_rtt - each.rtt) <= ROUNDING_US for each in found)
    follows = all(0 <= each.rto - each.time_out < TICK_US for each in found)
    return {"rtt": "true" if true else figures(each.rtt for each in found),
            "rttvar": "half of it" if halves else figures(each.rttvar for each in found),
            "min_rtt": "the same" if same else figures(each.min_rtt for each in found),
            "rto": "as it follows" if follows else figures(each.rto for each in found),
            "timestamps": stamps() in shape.options or stamps(2**32 - 1) in shape.options}


def figures(found: Iterable[int]) -> int | list[int]:
    """One, where all are alike."""
    several = sorted(set(found))
    return several[0] if len(several) == 1 else several


if __name__ == "__main__":
    run(RoundTrips)
