#!/usr/bin/python3
"""The first estimate of the round trip, and the retransmission time-out that follows from it: within a millisecond of
the truth, as the plain kernel's. What is true is read off the wire, at the peer."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import struct
import time
import typing
from collections.abc import Iterator, Sequence

from asking import Interview, Question, Tap
from frames import ACK, SYN, Segment, read_segment
from listeners import DEFAULT, Host
from pair import PairTest, Setting, run
from report import Case, settle
from sockets import tcp_info
from syns import Shape, named, stamps

DELAYS_MS = (3, 30, 250)
TRIES = 7
SHAPES = ("Linux", "macOS", "nmap probe 6", "Windows 10", "4.3BSD")

SO_TIMESTAMPNS = 35
CLOSE_US = 1000
LEAST_VARIATION_US = 200_000
RTO_CLOSE_US = 12_000  # ticks of the kernel, and three times the error above

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
    rto: int
    truth: float

    @property
    def error(self) -> float:
        return abs(self.rtt - self.truth)


class RoundTrips(PairTest):
    kinds = ("adaptor", "stack")

    def test_every_delay(self) -> None:
        with contextlib.ExitStack() as stack:
            taps = [stack.enter_context(contextlib.closing(TimedTap(scene, "client"))) for scene in self.scenes]
            for setting in self.settings([Host("default", listeners=(DEFAULT,))]):
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
            case = Case(f"{delay} ms, IPv{family}", shape.name)
            self.report.add(case, told(plain[shape], shape), told(ours[shape], shape), "adaptor")


def estimates(side: Interview, tap: TimedTap, listener: socket.socket, questions: Sequence[Question],
              delay: int) -> dict[Shape, Estimate]:
    """Of the handshakes of each shape, the estimate that came closest to the truth: a busy machine delays at times."""
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
    found: dict[Shape, Estimate] = {}
    for question in questions:
        port, info = question.source_port, known[question.source_port]
        one = Estimate(int(info["rtt"]), int(info["rto"]), (moments[port, True] - moments[port, False]) * 1e6)
        if question.shape not in found or one.error < found[question.shape].error:
            found[question.shape] = one
    return found


def told(found: Estimate, shape: Shape) -> dict[str, typing.Any]:
    """In figures only what is not as it should be; and whether the peer sends timestamps, for accepted.py."""
    return {"rtt": "true" if found.error <= CLOSE_US else found.rtt,
            "rto": "as it follows" if abs(found.rto - time_out(found.truth)) <= RTO_CLOSE_US else found.rto,
            "timestamps": stamps() in shape.options or stamps(2**32 - 1) in shape.options}


def time_out(rtt: float) -> float:
    """After the first sample (RFC 6298 section 2.2), with the kernel's least of 200 ms for the variation."""
    return rtt + max(LEAST_VARIATION_US, 4 * rtt / 2)


if __name__ == "__main__":
    run(RoundTrips)
