"""Conversations between hand-made peers and several hosts at once, step by step: what a peer sends, what comes back,
and what the application sees.

A script is a generator. Each step it yields has a title and either segments to send or something for the application to
do; what came back is known before the next one begins. All conversations go through their steps side by side. That a
step is over is not a matter of time: behind its last frame an echo request is sent, and frames are received in order.

What came back is noted in words that no two connections differ in: numbers relative to the initial sequence numbers,
time stamps by the segment they echo. Everything that comes counts, as often as it comes, but for what a timer may have
repeated: when that comes is not what is compared here.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import errno
import ipaddress
import os
import socket
import struct
import time
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence

from frames import ACK, ETHERNET, FIN, PSH, RST, SYN, Segment, checksum, letters, options_of, read_segment
from scene import Scene, StageError, tcp_info

ALL_PROTOCOLS = 3  # ETH_P_ALL
OUTGOING = 4  # PACKET_OUTGOING
SO_RCVBUFFORCE = 33
MOST_AT_ONCE = 64  # frames: a veth queues 256
TIMER = 0.9  # seconds; a segment that comes again before that was not repeated by a timer
SAME_CLOCK = 10_000  # milliseconds; a clock that jumps so far is another one

GATEWAY = {4: "10.77.0.1", 6: "fd77::1"}
HERALD = "10.77.0.98"  # who sends the echo requests, on the link itself

# No delayed acknowledgments, no timers that fire before a script is over, no rate limit that depends on when it began,
# no window that depends on how much memory there is.
ROUTE = "quickack 1 rto_min 20s"
SYSCTLS = {
    "net.core.somaxconn": 16384,
    "net.ipv4.tcp_max_syn_backlog": 16384,
    "net.ipv4.tcp_invalid_ratelimit": 0,
    "net.ipv4.tcp_early_retrans": 0,
    "net.ipv4.tcp_rmem": "4096 131072 33554432",
}


# --- Servers ----------------------------------------------------------------------------------------------------------

class Arrival(typing.NamedTuple):
    segment: Segment
    way: str = ""  # where it is not that of the gateway


def wire(scene: Scene, interface: str) -> socket.socket:
    """An interface of the client's, in frames."""
    with scene.inside("client"):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 25)
    made.bind((interface, ALL_PROTOCOLS))
    return made


def received(link: socket.socket, patience: float) -> Iterator[bytes]:
    """The frames that come, until none has come for so many seconds."""
    link.settimeout(patience)
    with contextlib.suppress(TimeoutError):
        while True:
            frame, (_, _, direction, _, _) = link.recvfrom(65536)
            if direction != OUTGOING:
                yield frame


class Server:
    """One server, its link to the client, and an application that does only what it is told."""

    def __init__(self, scene: Scene, ns: str, interface: str = "eth0") -> None:
        """`interface` is the client's end of the link."""
        self.ns = ns
        self.links = scene.link(ns, "eth0"), scene.link("client", interface)
        self.wire = wire(scene, interface)
        self.detours: list[socket.socket] = []  # of the server's other links
        self.station = self.links[1]  # who hands it the peers' frames
        self._gateway = bytes.fromhex(self.links[1].replace(":", ""))
        scene.ip(ns, f"neigh replace {HERALD} lladdr {self.links[1]} dev eth0 nud permanent")
        self.listeners: list[socket.socket] = []
        self._scene = scene
        self._accepted: dict[tuple[str, int, int], list[socket.socket]] = collections.defaultdict(list)
        self._echoes = 0
        self._unawaited = 0

    def close(self) -> None:
        self.hang_up()
        for each in (self.wire, *self.detours):
            each.close()

    def listen(self, port: int, prepare: Callable[[socket.socket], object] | None = None) -> None:
        listener = self._scene.listen(port, 6, 16384, prepare=prepare, ns=self.ns)
        listener.setblocking(False)
        self.listeners.append(listener)

    def hang_up(self) -> None:
        """The listeners close, and what the application had accepted."""
        for each in (*self.listeners, *(c for found in self._accepted.values() for c in found)):
            each.close()
        self.listeners.clear()
        self._accepted.clear()

    def send(self, segment: Segment) -> Iterator[Arrival]:
        """Also yields what arrived where it had to wait for it, lest a queue be full."""
        self.wire.send(segment.frame(self.links[0], self.station))
        self._unawaited += 1
        if self._unawaited >= MOST_AT_ONCE:
            yield from self.settle()

    def settle(self) -> Iterator[Arrival]:
        """Yields what arrives until all that was sent has been dealt with: what the driver itself sends back may be
        overtaken by the first echo, not by the second."""
        self._unawaited = 0
        for _ in range(2):
            self._echoes += 1
            self.wire.send(self._echo_request())
            yield from self._until_echoed()
        for each in self.detours:
            yield from (Arrival(segment, "by another link") for frame in received(each, 0.01)
                        if (segment := read_segment(frame)))

    def _until_echoed(self) -> Iterator[Arrival]:
        for frame in received(self.wire, 5):
            if segment := read_segment(frame):
                yield Arrival(segment, "" if frame[:6] == self._gateway else "to another station")
            elif frame[12:14] == b"\x08\x00" and frame[ETHERNET + 9] == socket.IPPROTO_ICMP and \
                    frame[ETHERNET + 20:ETHERNET + 21] == b"\0" and frame[ETHERNET + 26:][:2] == self._number():
                return
        raise StageError(f"{self.ns} does not answer an echo request")

    def _number(self) -> bytes:
        return struct.pack("!H", self._echoes & 0xFFFF)

    def _echo_request(self) -> bytes:
        body = b"\x08\0\0\0\0\7" + self._number()
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 7, 0x4000, 64, socket.IPPROTO_ICMP, 0)
        ip += ipaddress.ip_address(HERALD).packed + ipaddress.ip_address(self._scene.server.v4).packed
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        return bytes.fromhex("".join(self.links).replace(":", "")) + b"\x08\x00" + ip + body

    def accepted(self, peer: Peer) -> list[socket.socket]:
        """The connections that the application got from the peer and has not closed."""
        for listener in self.listeners:
            with contextlib.suppress(BlockingIOError):
                while True:
                    connection, name = listener.accept()
                    connection.setblocking(False)
                    address = name[0].removeprefix("::ffff:")
                    self._accepted[address, name[1], listener.getsockname()[1]].append(connection)
        return [each for each in self._accepted[peer.address, peer.port, peer.target] if each.fileno() >= 0]


def beside(scene: Scene, ns: str, interface: str) -> Server:
    """One more host like the server, with the same addresses, on a link of its own."""
    scene.namespace(ns)
    scene.veth("client", interface, ns, "eth0")
    scene.address(ns, "eth0", f"{scene.server.v4}/24", f"{scene.server.v6}/64")
    for family, gateway in GATEWAY.items():
        scene.ip(ns, f"neigh replace {gateway} lladdr {scene.link('client', interface)} dev eth0 nud permanent")
        scene.route(ns, "default", gateway)
    for end in ((ns, "eth0"), ("client", interface)):
        scene.pass_frames(*end)  # the same way through the link as with the adaptor: buffers differ, and so windows
    return Server(scene, ns, interface)


def calm(scene: Scene, ns: str) -> None:
    """No timer of this host's stack meddles with a script."""
    scene.sysctl(ns, SYSCTLS)
    for family, gateway in GATEWAY.items():
        scene.ip(ns, f"-{family} route replace default via {gateway} {ROUTE}")


# --- Peers ------------------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Peer:
    """The peer of one conversation. Sequence numbers are relative to its ISN, acknowledgments to the host's."""

    address: str
    host: str  # address
    target: int
    port: int
    isn: int
    stamped: bool  # does timestamps
    theirs: int = 0x7E57_0000  # the host's ISN; before that is known, any
    stamp: int = 0  # of the host's, to be echoed
    clock: int = 0  # the host's
    sent: int = 0
    next: int = 1  # where data goes on
    isns: list[int] = dataclasses.field(default_factory=list)  # the host's, as they came
    synacks: int = 0  # heard

    @property
    def family(self) -> int:
        return 6 if ":" in self.address else 4

    def syn(self, options: bytes | None = None, **fields: typing.Any) -> Segment:
        return self.segment(SYN, 0, 0, options=self.offer() if options is None else options, **fields)

    def offer(self) -> bytes:
        """What a Linux or a Windows peer offers."""
        mss = struct.pack("!BBH", 2, 4, 1440 if self.family == 6 else 1460)
        if self.stamped:
            return mss + b"\4\2" + self._stamps(self.tick(), 0) + b"\1\3\3\7"
        return mss + b"\1\3\3\x08\1\1\4\2"

    def ack(self, payload: bytes = b"", seq: int = 1, ack: int = 1, flags: int = 0, **fields: typing.Any) -> Segment:
        """By default the segment that completes the handshake."""
        push = PSH if payload else 0
        return self.segment(ACK | push | flags, seq, ack, payload, **fields)

    def segment(self, flags: int, seq: int, ack: int | None, payload: bytes = b"", *, options: bytes | None = None,
                **fields: typing.Any) -> Segment:
        options = self.due() if options is None else options
        acknowledged = self.theirs + ack if flags & ACK and ack is not None else 0
        return Segment(self.address, self.host, (self.port, self.target), flags, (self.isn + seq) % 2**32,
                       acknowledged % 2**32, options, payload, **fields)

    def due(self) -> bytes:
        """The options of every segment but the SYN."""
        return b"\1\1" + self._stamps(self.tick(), self.stamp) if self.stamped else b""

    def tick(self) -> int:
        self.sent += 1
        return self.stamp_of(self.sent)

    @staticmethod
    def stamp_of(number: int) -> int:
        return 1_000_000 + number

    @staticmethod
    def _stamps(value: int, echo: int) -> bytes:
        return struct.pack("!BBII", 8, 10, value % 2**32, echo % 2**32)

    def turn(self) -> None:
        """To the host's latest ISN."""
        self.theirs = self.isns[-1]

    # --- What comes back ----------------------------------------------------------------------------------------------

    def hear(self, segment: Segment) -> str:
        """The segment in words."""
        self.synacks += bool(segment.flags & SYN)
        if segment.flags & SYN and segment.sequence not in self.isns:
            self.theirs = self.theirs if self.isns else segment.sequence
            self.isns.append(segment.sequence)
        words = [letters(segment.flags), f"seq {self._in_host_space(segment.sequence)}",
                 f"ack {place(segment.acknowledgment, self.isn)}"]
        words += [f"{len(segment.payload)} bytes"] * bool(segment.payload)
        if segment.flags & SYN:
            words += [f"window {segment.window}", f"TTL {segment.ttl}", f"TOS {segment.tos}"]
            words += ["DF"] * segment.dont_fragment
        options = options_of(segment.options)
        words += [self._option(*each) for each in options]
        if takes_space(segment) and any(kind == 8 for kind, _ in options):
            self.stamp = self.clock  # a bare ACK's may be the same millisecond's or not: all would depend on that
        return ", ".join(filter(None, words))

    def _in_host_space(self, number: int) -> str:
        """Which ISN of the host it follows, where there was more than one."""
        nearest = min(self.isns or [self.theirs], key=lambda isn: abs(distance(number, isn)))
        which = self.isns.index(nearest) if self.isns else 0
        return place(number, nearest) + f" of SYN-ACK {which + 1}" * bool(which)

    def _option(self, kind: int, content: bytes) -> str:
        if kind in (1, 172, 174):  # NOP; the counters of AccECN (RFC 9768), which come and go with the clock
            return ""
        if kind == 8:
            value, echo = struct.unpack("!II", content)
            which = f"echoes {echo - self.stamp_of(0) if echo else 'nothing'}"
            return which + self._clock_goes_on(value)
        if kind == 5:
            edges = struct.unpack(f"!{len(content) // 4}I", content)
            return "holds " + " ".join(place(edge, self.isn) for edge in edges)
        name = {2: "MSS", 3: "scale", 4: "SACK"}.get(kind, f"option {kind}")
        return name + f" {int.from_bytes(content, 'big')}" * bool(content)

    def _clock_goes_on(self, value: int) -> str:
        """Or what the host's clock does instead."""
        away = distance(value, self.clock) if self.clock else 0
        self.clock = value
        if abs(away) > SAME_CLOCK:
            return ", another clock"
        return ", clock runs backwards" * (away < 0)


def takes_space(segment: Segment) -> bool:
    return bool(segment.payload or segment.flags & (SYN | FIN))


def distance(number: int, begin: int) -> int:
    return (number - begin + 2**31) % 2**32 - 2**31


def place(number: int, begin: int) -> str:
    """A sequence number in relation to an ISN."""
    away = distance(number, begin)
    return "zero" if number == 0 else str(away) if abs(away) < 1 << 24 else "elsewhere"


# --- Scripts ----------------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class App:
    """Something that the application does with a connection it accepted from the peer."""

    act: Callable[[socket.socket], object]


Action = Segment | Sequence[Segment] | App | float  # a number: wait so many seconds, for what a timer has to say
Steps = Iterator[tuple[str, Action]]
Script = Callable[[Peer], Steps]


def chunks(connection: socket.socket) -> list[str]:
    """What can be read at once, and how it ends."""
    found: list[str] = []
    try:
        while data := connection.recv(65536):
            found.append(shown(data))
        return [*found, "end"]
    except BlockingIOError:
        return found
    except OSError as error:
        return [*found, errno.errorcode[error.errno or 0]]


def urgent(connection: socket.socket) -> str:
    try:
        return shown(connection.recv(1, socket.MSG_OOB))
    except OSError as error:
        return "none" if error.errno in (errno.EINVAL, errno.EAGAIN) else errno.errorcode[error.errno or 0]


def shown(data: bytes) -> str:
    return data.decode("latin1") if len(data) < 16 else f"{len(data)} bytes"


STATES = ("", "established", "SYN sent", "SYN received", "FIN wait 1", "FIN wait 2", "TIME-WAIT", "closed",
          "close wait", "last ACK", "listening", "closing")


def view(connection: socket.socket) -> dict[str, object]:
    """All that the application can tell of a connection, but for time."""
    raw = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    info = tcp_info(connection)
    return {"state": STATES[raw[0]], "options": info.options & 15, "scales": (info.peer_shift, info.local_shift),
            "mss": (info.snd_mss, info.advmss), "peer's window": info.snd_wnd,
            "urgent": urgent(connection), "read": chunks(connection)}


LOOK = App(view)


class Conversation:
    """A script under way with one host."""

    def __init__(self, server: Server, peer: Peer, script: Script, windows: bool = False) -> None:
        """With `windows`, those that the host announces are noted too."""
        self.server = server
        self.peer = peer
        self.fields: dict[str, object] = {}
        self.over = False
        self.pause = 0.0  # that the step asks for
        self._steps = script(peer)
        self._number = 0
        self._title = ""
        self._words: list[str] = []
        self._windows: list[int] | None = [] if windows else None
        self._began = 0.0  # the step
        self._sent: Sequence[Segment] = ()  # by the step
        self._acknowledgments = 0  # that it got, and nothing with them
        self._came: dict[tuple[object, ...], float] = {}  # what takes up sequence space: when its step began

    def step(self) -> Iterator[Arrival]:
        """Begins the next step; yields what arrived meanwhile, for whomever."""
        self._conclude()
        self.pause = 0.0
        self._began = time.monotonic()
        self._sent, self._acknowledgments = (), 0
        try:
            title, action = next(self._steps)
        except StopIteration:
            self.over = True
            return
        self._number += 1
        self._title = f"{self._number} {title}"
        if isinstance(action, App):
            found = self.server.accepted(self.peer)
            self.fields[self._title] = tuple(action.act(connection) for connection in found)
        elif isinstance(action, float):
            self.pause = action
        else:
            yield from self._send([action] if isinstance(action, Segment) else action)

    def _send(self, segments: Sequence[Segment]) -> Iterator[Arrival]:
        self._sent = segments
        for segment in segments:
            yield from self.server.send(segment)

    def hear(self, segment: Segment, way: str) -> None:
        if self._may_be_a_timers(segment):
            return
        self._acknowledgments += segment.flags == ACK
        words = ", ".join(filter(None, (self.peer.hear(segment), way)))
        if words in self._words and self._counts_once(segment):
            return
        self._words.append(words)
        if self._windows is not None and not segment.flags & (SYN | RST):
            self._windows.append(segment.window)

    def _may_be_a_timers(self, segment: Segment) -> bool:
        """Such a segment counts only where the script waits for it, and as many SYN-ACKs do as there were SYNs."""
        if not takes_space(segment):
            return False
        key = segment.flags, segment.sequence, segment.acknowledgment, segment.payload
        if key not in self._came:
            self._came[key] = self._began
            return False
        return time.monotonic() - self._came[key] > TIMER and not self.pause and not self._is_due(segment)

    def _is_due(self, segment: Segment) -> bool:
        synacks = sum(words.startswith("SA,") for words in self._words)
        return bool(segment.flags & SYN) and synacks < sum(bool(s.flags & SYN) for s in self._sent)

    def _counts_once(self, segment: Segment) -> bool:
        """Of segments received together, one or several are acknowledged; and a timer may go off more than once."""
        return self.pause > TIMER or segment.flags == ACK and self._acknowledgments <= len(self._sent)

    def _conclude(self) -> None:
        """Notes what came back; of what the application did, only where there was something."""
        if not self._title:
            return
        if self._title not in self.fields:
            self.fields[self._title] = tuple(self._words)
        elif self._words:
            self.fields[f"{self._title}: replies"] = tuple(self._words)
        if self._windows:
            self.fields[f"{self._title}: windows"] = tuple(self._windows)
            self._windows.clear()
        self._words.clear()


def converse(conversations: Sequence[Conversation]) -> None:
    """Through all their steps, side by side."""
    affinity = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(affinity)})  # frames sent from two processors would be received in any order
    try:
        by_name = {(c.server.ns, c.peer.address, c.peer.port, c.peer.target): c for c in conversations}
        servers = list({c.server.ns: c.server for c in conversations}.values())
        while going := [c for c in conversations if not c.over]:
            for c in going:
                deliver(by_name, c.server, c.step())
            time.sleep(max(c.pause for c in going))
            for server in servers:
                deliver(by_name, server, server.settle())
    finally:
        os.sched_setaffinity(0, affinity)


def deliver(conversations: dict[tuple[str, str, int, int], Conversation], server: Server,
            arrivals: Iterable[Arrival]) -> None:
    for segment, way in arrivals:
        found = conversations.get((server.ns, segment.target, segment.ports[1], segment.ports[0]))
        if found and not found.over:
            found.hear(segment, way)
