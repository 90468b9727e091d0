"""The same SYNs, put to a server of the plain kernel's and to one behind the adaptor."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import itertools
import os
import pathlib
import select
import socket
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from frames import ACK, PSH, RST, Segment, options_of, read_segment  # noqa: E402
from heralds import Herald  # noqa: E402
from replies import Arrival, Reply, arrival_of  # noqa: E402
from scene import Scene, StageError  # noqa: E402
from syns import NOP, Shape, option, signed  # noqa: E402

ALL_PROTOCOLS = 3  # ETH_P_ALL
OUTGOING = 4  # PACKET_OUTGOING
SO_RCVBUFFORCE = 33

FAR = {4: "203.0.113.9", 6: "2001:db8:77::9"}  # nobody's: no kernel resets what comes for them
NEAR = {4: "10.77.0.99", 6: "fd77::99"}  # on the link itself

HERALDS = {"eth0": ("10.77.0.98", "10.77.0.2"), "eth1": ("10.78.0.1", "10.78.0.2")}  # by the link they go by

AT_ONCE = 48  # a queue of veth holds 256 frames
QUIET = 0.03  # how long one waits for those who have said nothing when all is dealt with
PATIENCE = 0.2  # ... and when they are asked again: less than the second after which a kernel repeats itself
ECHO, TRIES = 2, 3  # seconds, and how often, before a host counts as dead

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
        made = self.shape.segment(self.source, self.target, (self.source_port, self.port), self.sequence)
        return dataclasses.replace(made, flow_label=self.sequence & 0xFFFFF | 1) if made.family == 6 else made

    def reset(self, sent: int = 0) -> Segment:
        """What removes the connection, half open in the plain kernel or established; `sent` bytes were sent."""
        made = Segment(self.source, self.target, (self.source_port, self.port), RST, self.sequence + 1 + sent)
        return signed(made, self.shape.key) if self.shape.key else made

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


class Tap:
    """What a link hands to a namespace's stack. Of that which XDP keeps to itself it sees nothing. With `outgoing`,
    also what the stack hands to the link."""

    def __init__(self, scene: Scene, ns: str, interface: str = "eth0", outgoing: bool = False) -> None:
        self.outgoing = outgoing
        self.interface = interface
        with scene.inside(ns):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
            self.socket.bind((interface, ALL_PROTOCOLS))
        self.socket.setblocking(False)

    def take(self) -> list[Segment]:
        """The TCP segments that have arrived."""
        return [segment for frame in self.frames() if (segment := read_segment(frame))]

    def frames(self) -> Iterator[bytes]:
        """All that has arrived."""
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    frame, (_, _, direction, _, _) = self.socket.recvfrom(65536)
                except OSError as told:
                    if told.errno != errno.ENETDOWN:  # said once of an interface that was down for a moment
                        raise
                    continue
                if self.outgoing or direction != OUTGOING:
                    yield frame

    def wait(self, seconds: float) -> bool:
        return bool(select.select([self.socket], [], [], seconds)[0])

    def close(self) -> None:
        self.socket.close()


class Interview:
    """Asks one server, by one of its links; hears what comes by `others`, too."""

    def __init__(self, scene: Scene, interface: str = "eth0", *others: str) -> None:
        self.scene = scene
        self.near, self.far = Tap(scene, "client", interface), Tap(scene, "server", interface)
        self.others = [Tap(scene, "client", each) for each in others]
        self.host, self.station = (scene.link(ns, interface) for ns in ("server", "client"))  # to whom, and by whom
        self.strays: list[Arrival] = []  # TCP segments and ICMP errors that answered nothing asked
        self.aliases: dict[str, str] = {}  # addresses that this server alone has, by those that questions name
        self.deaf = 0  # SYNs that were answered only when they were asked again
        self._herald = Herald(*HERALDS[interface])
        self._stations = {bytes.fromhex(scene.link(ns, each).replace(":", "")): ns
                          for each in (interface, *others) for ns in ("server", "client")}
        scene.ip("client", f"-6 route replace blackhole {FAR[6]}")  # or its kernel would at times send ICMP errors
        near = NEAR.values() if interface == "eth0" else ()
        for address in (*near, self._herald.source):
            scene.ip("server", f"neigh replace {address} lladdr {self.station} dev {interface} nud permanent")

    def close(self) -> None:
        for each in (self.near, self.far, *self.others):
            each.close()

    def ask(self, questions: Sequence[Question], quiet: float = QUIET, at_once: int = AT_ONCE) -> dict[Question, Reply]:
        """The replies to them all; of the connections nothing is left, not even half open."""
        replies: dict[Question, Reply] = {}
        for first in range(0, len(questions), at_once):
            some = questions[first:first + at_once]
            replies.update(self.open(some, quiet))
            # A full queue would make the stack answer with cookies.
            self.send(question.reset(replies[question].taken(question.sequence)) for question in some)
        return replies

    def open(self, questions: Sequence[Question], quiet: float = QUIET) -> dict[Question, Reply]:
        """Sends the SYNs at once and takes all that comes, until the host has dealt with them."""
        by_key = {question.key: question for question in questions}
        by_frame = {self.frame(question.segment()): question for question in questions}
        replies = {question: Reply() for question in questions}
        self._stray(self._arrivals(self.near, *self.others))
        self.far.take()
        with on_one_processor():
            for frame in by_frame:
                self.near.socket.send(frame)
            for arrival in self._answers(replies.values(), quiet):
                if question := by_key.get(arrival.key or NOBODY):
                    replies[question].arrivals.append(arrival)
                else:
                    self._stray([arrival])
        for frame in self.far.frames():
            if question := by_frame.get(frame):
                replies[question].reached_the_stack = True
        return replies

    def send(self, segments: Iterable[Segment]) -> None:
        for segment in segments:
            self.near.socket.send(self.frame(segment))

    def frame(self, segment: Segment) -> bytes:
        return self.addressed(segment).frame(self.host, self.station)

    def addressed(self, segment: Segment) -> Segment:
        return dataclasses.replace(segment, target=self.aliases.get(segment.target, segment.target))

    def _answers(self, replies: Iterable[Reply], quiet: float) -> Iterator[Arrival]:
        """What the driver itself sends back may be overtaken by the first echo, not by the second."""
        for _ in range(2):
            yield from self._until_echoed()
        while not all(reply.arrivals for reply in replies) and self.near.wait(quiet):
            yield from self._arrivals(self.near)
        for tap in self.others:
            while tap.wait(QUIET):
                yield from self._arrivals(tap)

    def _until_echoed(self) -> Iterator[Arrival]:
        for _ in range(TRIES):
            self.near.socket.send(frame_of(self.host, self.station, self._herald.request()))
            while self.near.wait(ECHO):
                arrivals = list(self._arrivals(self.near))
                yield from arrivals
                if any(self._herald.hears(each.packet) for each in arrivals):
                    return
        raise StageError("the server does not answer an echo request")

    def _arrivals(self, *taps: Tap) -> Iterator[Arrival]:
        for tap in taps:
            yield from (found for frame in tap.frames() if (found := arrival_of(frame, tap.interface, self._stations)))

    def _stray(self, arrivals: Iterable[Arrival]) -> None:
        self.strays += [each for each in arrivals if each.key]


NOBODY = "", 0, 0


def frame_of(host: str, station: str, packet: bytes) -> bytes:
    return bytes.fromhex((host + station).replace(":", "")) + b"\x08\x00" + packet


@contextlib.contextmanager
def on_one_processor() -> Iterator[None]:
    """Frames sent from two would be received in any order."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usual)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


def compare_all(plain: Interview, ours: Interview, questions: Sequence[Question],
                at_once: int = AT_ONCE) -> Iterator[tuple[Question, Reply, Reply]]:
    """The replies of both. Where just one was silent, a busy machine may have been the reason: both are asked again,
    and where one is not silent any more, that is counted."""
    sides = plain, ours
    found = [side.ask(questions, at_once=at_once) for side in sides]
    for question in questions:
        replies = [side[question] for side in found]
        if bool(replies[0].arrivals) != bool(replies[1].arrivals):
            question = dataclasses.replace(question, source_port=next(PORTS))
            silent = [not reply.arrivals for reply in replies]
            replies = [side.ask([question], PATIENCE)[question] for side in sides]
            for side, was_silent, reply in zip(sides, silent, replies):
                side.deaf += was_silent and bool(reply.arrivals)
        yield question, replies[0], replies[1]
