"""The same SYNs, put to a server of the plain kernel's and to one behind the adaptor."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import itertools
import pathlib
import select
import socket
import struct
import sys
import typing
from collections.abc import Iterable, Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from frames import ACK, PSH, RST, SYN, Segment, letters, options_of, read_segment  # noqa: E402
from scene import Scene  # noqa: E402
from syns import NOP, Shape, option  # noqa: E402

ALL_PROTOCOLS = 3  # ETH_P_ALL
OUTGOING = 4  # PACKET_OUTGOING
SO_RCVBUFFORCE = 33

FAR = {4: "203.0.113.9", 6: "2001:db8:77::9"}  # nobody's: no kernel resets what comes for them
NEAR = {4: "10.77.0.99", 6: "fd77::99"}  # on the link itself

AT_ONCE = 48  # a queue of veth holds 256 frames
QUIET = 0.03  # who has not spoken by then, with nobody else speaking, is asked once more
PATIENCE = 0.6  # ... and then given so long: less than the second after which a kernel repeats itself

FIRST_PORT, END_OF_PORTS = 1024, 60000  # rehearsals come from higher ones
PORTS = itertools.cycle(range(FIRST_PORT, END_OF_PORTS))


@dataclasses.dataclass(frozen=True)
class Question:
    """One SYN."""

    shape: Shape
    source: str
    target: str
    port: int
    source_port: int = dataclasses.field(default_factory=lambda: next(PORTS))

    @property
    def sequence(self) -> int:
        return 1_000_003 * self.source_port % 2**32

    @property
    def key(self) -> tuple[str, int, int]:
        return self.source, self.source_port, self.port

    def segment(self) -> Segment:
        return self.shape.segment(self.source, self.target, (self.source_port, self.port), self.sequence)

    def reset(self, sent: int = 0) -> Segment:
        """What removes the connection, half open in the plain kernel or established; `sent` bytes were sent."""
        return Segment(self.source, self.target, (self.source_port, self.port), RST, self.sequence + 1 + sent)

    def completion(self, synack: Segment, payload: bytes = b"") -> Segment:
        """The segment that completes the handshake, with timestamps where both ends have them."""
        stamps = next((content for kind, content in options_of(synack.options) if kind == STAMPS), None)
        options = NOP + NOP + option(STAMPS, later(stamps[4:]) + stamps[:4]) if stamps else b""
        syn = self.segment()
        return dataclasses.replace(syn, flags=ACK | (PSH if payload else 0), sequence=self.sequence + 1,
                                   acknowledgment=synack.sequence + 1, options=options, payload=payload, window=64240,
                                   urgent=0, offset=None, tos=syn.tos & ~ECN_BITS)


STAMPS = 8
ECN_BITS = 3


def later(stamp: bytes) -> bytes:
    """The timestamp one tick on."""
    return struct.pack("!I", (int.from_bytes(stamp, "big") + 1) % 2**32)


@dataclasses.dataclass
class Reply:
    """What became of one SYN."""

    segment: Segment | None = None  # None: silence
    reached_the_stack: bool = False

    @property
    def answerer(self) -> str:
        """Of a server behind the adaptor."""
        if self.reached_the_stack:
            return "stack"
        return "adaptor" if self.segment else "nobody"


class Tap:
    """The TCP segments that a link hands to a namespace's stack. Of those that XDP keeps to itself it sees nothing.
    With `outgoing`, also those that the stack hands to the link."""

    def __init__(self, scene: Scene, ns: str, outgoing: bool = False) -> None:
        self.outgoing = outgoing
        with scene.inside(ns):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
            self.socket.bind(("eth0", ALL_PROTOCOLS))
        self.socket.setblocking(False)

    def take(self) -> list[Segment]:
        """Those that have arrived."""
        return list(self._waiting())

    def _waiting(self) -> Iterator[Segment]:
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    frame, (_, _, direction, _, _) = self.socket.recvfrom(65536)
                except OSError as told:
                    if told.errno != errno.ENETDOWN:  # said once of an interface that was down for a moment
                        raise
                    continue
                segment = read_segment(frame) if self.outgoing or direction != OUTGOING else None
                if segment:
                    yield segment

    def wait(self, seconds: float) -> bool:
        return bool(select.select([self.socket], [], [], seconds)[0])

    def close(self) -> None:
        self.socket.close()


class Interview:
    """Asks one server."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.near, self.far = Tap(scene, "client"), Tap(scene, "server")
        scene.ip("client", f"-6 route add blackhole {FAR[6]}")  # or its kernel would now and then send ICMP errors
        for address in NEAR.values():
            scene.ip("server", f"neigh replace {address} lladdr {scene.client.link} dev eth0 nud permanent")

    def close(self) -> None:
        self.near.close()
        self.far.close()

    def ask(self, questions: Sequence[Question], quiet: float = QUIET, at_once: int = AT_ONCE) -> dict[Question, Reply]:
        """The replies to them all; of the connections nothing is left, not even half open."""
        replies: dict[Question, Reply] = {}
        for first in range(0, len(questions), at_once):
            some = questions[first:first + at_once]
            replies.update(self.open(some, quiet))
            self.send(question.reset() for question in some)  # a full queue would make the stack answer with cookies
        return replies

    def open(self, questions: Sequence[Question], quiet: float = QUIET) -> dict[Question, Reply]:
        """Sends the SYNs at once and waits for the replies."""
        by_key = {question.key: question for question in questions}
        replies = {question: Reply() for question in questions}
        self.near.take()
        self.far.take()
        self.send(question.segment() for question in questions)
        missing = set(questions)
        while missing and self.near.wait(quiet):
            for segment in self.near.take():
                question = by_key.get((segment.target, segment.ports[1], segment.ports[0]))
                if question in missing:
                    replies[question].segment = segment
                    missing.remove(question)
        for segment in self.far.take():
            question = by_key.get((segment.source, *segment.ports))
            if question:
                replies[question].reached_the_stack = True
        return replies

    def send(self, segments: Iterable[Segment]) -> None:
        for segment in segments:
            self.near.socket.send(segment.frame(self.scene.server.link, self.scene.client.link))


def compare_all(plain: Interview, ours: Interview, questions: Sequence[Question],
                at_once: int = AT_ONCE) -> Iterator[tuple[Question, Reply, Reply]]:
    """The replies of both. Where just one was silent, a busy machine may have been the reason: both are asked again."""
    sides = plain, ours
    found = [side.ask(questions, at_once=at_once) for side in sides]
    for question in questions:
        replies = [side[question] for side in found]
        if (replies[0].segment is None) != (replies[1].segment is None):
            again = dataclasses.replace(question, source_port=next(PORTS))
            replies = [side.ask([again], PATIENCE)[again] for side in sides]
        yield question, replies[0], replies[1]


# --- What is compared -------------------------------------------------------------------------------------------------

NAMES = {0: "end", 1: "nop", 2: "mss", 3: "scale", 4: "sack", 8: "stamps", 19: "md5", 30: "mptcp", 34: "fastopen"}


def told(kind: int, content: bytes) -> str:
    """An option, without what no two answers have in common."""
    name = NAMES.get(kind, str(kind))
    if kind in (2, 3):
        return f"{name} {int.from_bytes(content, 'big')}"
    if kind == 8:
        return f"{name} echo {int.from_bytes(content[4:], 'big')}"
    return name if kind == 19 or not content else f"{name} {content.hex()}"


def features(question: Question, reply: Reply) -> dict[str, typing.Any]:
    """Everything in an answer but ISN, TSval, IP identification, flow label and checksums."""
    segment = reply.segment
    if segment is None:
        return {"reply": "silence"}
    return {
        "reply": letters(segment.flags),
        "from": segment.source,
        "sequence": None if segment.flags & SYN else segment.sequence,
        "acknowledges": (segment.acknowledgment - question_sequence(question, segment)) % 2**32,
        "options": ", ".join(itertools.starmap(told, options_of(segment.options))),
        "window": segment.window,
        "urgent": segment.urgent,
        "payload": segment.payload,
        "ttl": segment.ttl,
        "tos": segment.tos,
        "dont fragment": segment.dont_fragment,
    }


def question_sequence(question: Question, segment: Segment) -> int:
    """The sequence number that was asked with; it goes with the port."""
    return dataclasses.replace(question, source_port=segment.ports[1]).sequence
