"""What peers see of the server, to be compared with and without the adaptor; and a watch on every frame that leaves it.

A peer's sight of a port is all it can tell: which packets came, in their order, with all that they say (but numbers
that no two have in common), and what the server said once connected.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import ipaddress
import os
import pathlib
import select
import shutil
import signal
import socket
import struct
import sys
import threading
import time
import typing
from collections.abc import Callable, Iterable, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from scene import IP_BIND_ADDRESS_NO_PORT, Scene, SceneTest  # noqa: E402

ALL_PROTOCOLS = 3  # ETH_P_ALL
OUTGOING = 4  # PACKET_OUTGOING
SO_RCVBUFFORCE = 33
FIN, SYN, RST, ACK = 1, 2, 4, 16

# Source ports of rehearsals (control/script.hpp). The kernel's own ephemeral ports end below.
FIRST_REHEARSAL_PORT = 61000

INSIDE = {4: "10.77.0.1", 6: "fd77::1"}  # the client itself
OUTSIDE = {4: "198.51.100.7", 6: "2001:db8:5::7"}  # behind it


# --- Frames -----------------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Seen:
    """One packet, as far as the tests look into it."""

    source: str
    target: str
    ports: tuple[int, int]  # source and target; of an ICMP error: those of the packet it quotes, the other way round
    said: tuple[object, ...]  # all a peer can tell of it
    flags: int = 0  # TCP


def options_of(raw: bytes) -> tuple[object, ...]:
    """TCP options in their order; of timestamps only that they are there."""
    found: list[object] = []
    while raw and raw[0] != 0:
        if raw[0] == 1:
            found.append("nop")
            raw = raw[1:]
            continue
        content = raw[2:raw[1]]
        found.append((raw[0], "" if raw[0] == 8 else content.hex()))
        raw = raw[raw[1]:]
    return tuple(found)


def segment(source: str, target: str, network: tuple[object, ...], raw: bytes) -> Seen:
    sport, dport, _, _, offset, flags, window = struct.unpack_from("!HHIIBBH", raw)
    fields = options_of(raw[20:(offset >> 4) * 4]) if flags & SYN else ()
    names = "".join(letter for bit, letter in enumerate("FSRPAUEC") if flags >> bit & 1)
    return Seen(source, target, (sport, dport), (names, window if flags & SYN else 0, fields, network), flags)


def quoted_ports(raw: bytes) -> tuple[int, int]:
    """Of the packet that an ICMP error quotes, so turned that they look like those of an answer."""
    at = (raw[0] & 15) * 4 if raw[0] >> 4 == 4 else 40
    protocol = raw[9] if raw[0] >> 4 == 4 else raw[6]
    if protocol != socket.IPPROTO_TCP or len(raw) < at + 4:
        return 0, 0
    sport, dport = struct.unpack_from("!HH", raw, at)
    return dport, sport


def read_v4(raw: bytes) -> Seen:
    length = (raw[0] & 15) * 4
    source, target = str(ipaddress.ip_address(raw[12:16])), str(ipaddress.ip_address(raw[16:20]))
    rest, total = raw[length:], struct.unpack_from("!H", raw, 2)[0]
    network = ("ttl", raw[8], "tos", raw[1], "df", raw[6] >> 6 & 1, length)
    if raw[9] == socket.IPPROTO_TCP:
        return segment(source, target, network, rest[:total - length])
    if raw[9] == socket.IPPROTO_ICMP and rest[0] in (3, 4, 11, 12):
        return Seen(source, target, quoted_ports(rest[8:]), ("ICMP", rest[0], rest[1]))
    return Seen(source, target, (0, 0), ("protocol", raw[9]))


def read_v6(raw: bytes) -> Seen:
    source, target = str(ipaddress.ip_address(raw[8:24])), str(ipaddress.ip_address(raw[24:40]))
    rest, length = raw[40:], struct.unpack_from("!H", raw, 4)[0]
    if raw[6] == socket.IPPROTO_ICMPV6 and rest[0] == 135:  # a neighbour solicitation: whom does it look for?
        target = str(ipaddress.ip_address(rest[8:24]))
    lead = struct.unpack_from("!I", raw)[0]
    network = ("hops", raw[7], "class", lead >> 20 & 255, "labelled", lead & 0xFFFFF != 0)
    if raw[6] == socket.IPPROTO_TCP:
        return segment(source, target, network, rest[:length])
    if raw[6] == socket.IPPROTO_ICMPV6 and rest[0] in (1, 2, 3, 4):
        return Seen(source, target, quoted_ports(rest[8:]), ("ICMPv6", rest[0], rest[1]))
    return Seen(source, target, (0, 0), ("protocol", raw[6]))


def read(frame: bytes) -> Seen | None:
    """None: neither IPv4 nor IPv6 nor ARP."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == 0x0806:
        here, there = (str(ipaddress.ip_address(frame[at:at + 4])) for at in (28, 38))
        return Seen(here, there, (0, 0), ("ARP",))
    if kind == 0x0800:
        return read_v4(frame[14:])
    return read_v6(frame[14:]) if kind == 0x86DD else None


class Watch(threading.Thread):
    """Keeps every frame that arrives at an interface."""

    def __init__(self, scene: Scene, ns: str, interface: str = "eth0") -> None:
        super().__init__(daemon=True)
        self.frames: list[bytes] = []
        self.lost = 0
        with scene.inside(ns):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 25)
            self._socket.bind((interface, ALL_PROTOCOLS))
        self._socket.settimeout(0.1)
        self._ending = False
        self.start()

    def run(self) -> None:
        while not self._ending:
            with contextlib.suppress(TimeoutError, OSError):
                frame, (_, _, direction, _, _) = self._socket.recvfrom(65536)
                if direction != OUTGOING:
                    self.frames.append(frame)

    def seen_since(self, first: int) -> list[Seen]:
        return [seen for frame in self.frames[first:] if (seen := read(frame))]

    def seen(self) -> list[Seen]:
        return self.seen_since(0)

    def close(self) -> None:
        self._ending = True
        self.join()
        self.lost = struct.unpack("II", self._socket.getsockopt(263, 6, 8))[1]  # SOL_PACKET, PACKET_STATISTICS
        self._socket.close()


# --- Servers ----------------------------------------------------------------------------------------------------------

class Servers(threading.Thread):
    """Listeners of a namespace, as many as wanted; each tells who it is to whoever says something."""

    def __init__(self, scene: Scene, ns: str) -> None:
        super().__init__(daemon=True)
        self.scene, self.ns = scene, ns
        self.listeners: dict[int, socket.socket] = {}
        self._events = select.epoll()
        self._names: dict[int, bytes] = {}
        self._connections: dict[int, socket.socket] = {}
        self._ending = False
        self.start()

    def add(self, port: int, backlog: int = 128, speak_first: bool = False, family: int = 6,
            prepare: Callable[[socket.socket], object] | None = None, address: str = "") -> socket.socket:
        listener = self.scene.listen(port, family, backlog, prepare=prepare, address=address, ns=self.ns)
        listener.setblocking(False)
        self.listeners[listener.fileno()] = listener
        self._names[listener.fileno()] = (b"!" if speak_first else b"") + f"{self.ns}:{port}".encode()
        self._events.register(listener.fileno(), select.EPOLLIN)
        return listener

    def remove(self, listener: socket.socket) -> None:
        self._events.unregister(listener.fileno())
        del self.listeners[listener.fileno()]
        listener.close()

    def run(self) -> None:
        while not self._ending:
            for number, _ in self._events.poll(0.1):
                with contextlib.suppress(OSError):
                    self._serve(number)

    def _serve(self, number: int) -> None:
        if number in self.listeners:
            connection, _ = self.listeners[number].accept()
            name = self._names[number]
            self._connections[connection.fileno()] = connection
            self._names[connection.fileno()] = name
            self._events.register(connection.fileno(), select.EPOLLIN)
            if name.startswith(b"!"):
                connection.sendall(name[1:])
            return
        connection = self._connections[number]
        if connection.recv(4096) and not self._names[number].startswith(b"!"):
            connection.sendall(self._names[number])
            return
        self._events.unregister(number)
        del self._connections[number]
        connection.close()

    def close(self) -> None:
        self._ending = True
        self.join()
        for each in (*self.listeners.values(), *self._connections.values()):
            each.close()


# --- Peers ------------------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Question:
    """One peer's attempt to talk to one port."""

    port: int
    source: str
    target: str = ""  # default: the server's address of the source's family
    speak_first: bool = False  # the server does

    @property
    def family(self) -> int:
        return 6 if ":" in self.source else 4


@dataclasses.dataclass
class Attempt:
    question: Question
    socket: socket.socket
    name: tuple[str, int]
    heard: bytes = b""
    connected: bool = False
    end: str = ""

    def advance(self, writable: bool) -> None:
        try:
            if not self.connected and writable:
                error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, "connect")
                self.connected = True
                if not self.question.speak_first:
                    self.socket.send(b"who are you?")
            elif self.connected:
                self.heard += self.socket.recv(4096)
                self.end = self.end or "heard"
        except BlockingIOError:
            pass
        except OSError as error:
            self.end = errno.errorcode.get(error.errno or 0, "?")


Sight = tuple[object, ...]
Sights = dict[Question, Sight]


def start_attempt(scene: Scene, question: Question) -> Attempt:
    made = scene.socket("client", question.family)
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    made.bind((question.source, 0))
    made.connect_ex((question.target or scene.server.address(question.family), question.port))
    return Attempt(question, made, made.getsockname()[:2])


def run_attempts(attempts: Sequence[Attempt], patience: float) -> None:
    deadline = time.monotonic() + patience
    while (left := deadline - time.monotonic()) > 0:
        waiting = [a for a in attempts if not a.end]
        if not waiting:
            return
        poll = select.poll()
        by_number = {a.socket.fileno(): a for a in waiting}
        for number, a in by_number.items():
            poll.register(number, select.POLLIN if a.connected else select.POLLOUT)
        for number, happened in poll.poll(left * 1000):
            by_number[number].advance(bool(happened & select.POLLOUT))


def describe(attempt: Attempt, seen: Iterable[Seen]) -> Sight:
    """SYN-ACKs, resets and ICMP errors in their order, and how it ended. Pure acknowledgments say nothing more."""
    address, port = attempt.name
    mine = [s for s in seen if s.target == address and s.ports == (attempt.question.port, port)]
    packets = [s.said for s in mine if s.flags & (SYN | RST) or not s.flags]
    if any(packet[0] in ("ICMP", "ICMPv6") for packet in packets):
        # Whether connect() tells of it depends on whether it was still at work when the error came.
        return (*packets, "rejected", attempt.heard)
    return (*packets, attempt.end or ("connected, then silence" if attempt.connected else "silence"), attempt.heard)


def is_mere_silence(sight: Sight, expected: Sight) -> bool:
    """Whether nothing is wrong with it but that something is missing: nothing came that should not have come."""
    packets = sight[:-2]
    return sight[-2] in ("silence", "connected, then silence") and packets == expected[:len(packets)]


def look(scene: Scene, watch: Watch, questions: Sequence[Question], patience: float) -> Sights:
    """What all these peers see, at the same time."""
    first = len(watch.frames)
    attempts = [start_attempt(scene, question) for question in questions]
    run_attempts(attempts, patience)
    time.sleep(0.03)
    seen = watch.seen_since(first)
    for attempt in attempts:
        attempt.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        attempt.socket.close()  # with a reset: nothing lingers
    return {attempt.question: describe(attempt, seen) for attempt in attempts}


def accepted(sights: Sights) -> int:
    return sum(sight[-2] == "heard" for sight in sights.values())


def from_everywhere(*ports: int, families: Iterable[int] = (4, 6), speak_first: bool = False) -> list[Question]:
    return [Question(port, where[family], speak_first=speak_first)
            for port in ports for family in families for where in (INSIDE, OUTSIDE)]


# --- The frame of the tests -------------------------------------------------------------------------------------------

class Strain:
    """For how much of the time within the block some process waited: for a processor, or for one that the machine
    beneath this one had taken away."""

    def __enter__(self) -> Strain:
        self._began, self._waited = time.monotonic(), self._total()
        self.share = 0.0
        return self

    def __exit__(self, *_: object) -> None:
        self.share = (self._total() - self._waited) / (time.monotonic() - self._began)

    @staticmethod
    def _total() -> float:
        """Seconds, since some moment."""
        stolen = int(pathlib.Path("/proc/stat").read_text().split(maxsplit=9)[8]) / os.sysconf("SC_CLK_TCK")
        with contextlib.suppress(OSError):
            pressure = pathlib.Path("/proc/pressure/cpu").read_text()
            return stolen + int(pressure.split("total=")[1].split()[0]) / 1e6
        return stolen


TOO_MUCH = 0.2  # strain; nothing can be expected within a second then
PATIENCE = 0.45  # of peers, seconds
LONGER = 0.95  # shorter than the time after which a SYN is sent again: that would be seen

WHEN = ("before", "with the rules", "after")
BEFORE = WHEN[0]


class Rules(typing.NamedTuple):
    """How to change the server, and how to change it back."""

    add: Callable[[], object]
    remove: Callable[[], object]


class ObservedTest(SceneTest):
    """Tests on a server whose every outgoing frame is watched."""

    watch: typing.ClassVar[Watch]
    servers: typing.ClassVar[Servers]
    reaction: typing.ClassVar[float] = 0.85  # to look then is to look within one second

    @classmethod
    def arrange(cls) -> None:
        cls.watches = {"client": Watch(cls.scene, "client")}
        cls.watch = cls.watches["client"]
        for prefix in ("198.51.100.0/24", "2001:db8:5::/64"):
            cls.scene.own("client", prefix)
        cls.servers = Servers(cls.scene, "server")
        cls.addClassCleanup(cls.servers.close)
        cls.prepare()

    @classmethod
    def prepare(cls) -> None:
        """Servers and the like, before the adaptor comes."""

    @classmethod
    def tearDownClass(cls) -> None:
        leaks = cls.leaks()
        for watch in cls.watches.values():
            watch.close()
        lost = sum(watch.lost for watch in cls.watches.values())
        if leaks or lost:
            raise AssertionError(f"{len(leaks)} frames of rehearsals left the machine, e.g. {leaks[:4]}; {lost} missed")

    @classmethod
    def leaks(cls) -> list[str]:
        """Frames that nobody asked for: of a rehearsal by their ports, or to addresses that are nobody's here."""
        own = [ipaddress.ip_network(net) for net in
               ("10.77.0.0/24", "10.88.0.0/16", "198.51.100.0/24", "fd77::/64", "fd88::/16", "2001:db8:5::/64",
                "fe80::/10",
                "ff00::/8", "224.0.0.0/4", "::/128", *cls.further_networks())]
        out = []
        for where, watch in cls.watches.items():
            for s in watch.seen():
                strange = [a for a in (s.source, s.target) if not any(ipaddress.ip_address(a) in net for net in own)]
                if strange or max(s.ports) >= FIRST_REHEARSAL_PORT:
                    out.append(f"at {where}: {s}")
        return out

    @classmethod
    def further_networks(cls) -> Sequence[str]:
        return ()

    @classmethod
    def nft(cls, script: str) -> None:
        cls.scene.run("server", ["nft", "-f", "-"], input=script)

    def look(self, questions: Sequence[Question], patience: float = PATIENCE) -> Sights:
        return look(self.scene, self.watch, questions, patience)

    def same(self, plain: Sights, adapted: Sights, when: str) -> None:
        for question, sight in plain.items():
            with self.subTest(when=when, question=question):
                self.assertEqual(adapted[question], sight)

    def look_around(self, rules: Rules, questions: Sequence[Question], pause: float,
                    expected: Sequence[Sights] | None = None) -> list[Sights]:
        """Before the rules come, after they came, after they went. Where that is not what was expected, and the machine
        too busy for it, what they see once the adaptor had time; `late` tells of these cases."""
        self.late: list[str] = []
        sights = []
        for when, change in zip(WHEN, (lambda: None, rules.add, rules.remove)):
            with Strain() as strain:
                change()
                time.sleep(0 if when == BEFORE else pause)
                sights.append(self.look(questions))
            if expected and self.may_be_late(sights[-1], expected[len(sights) - 1], when, strain.share):
                self.late.append(f"{when}, strain {strain.share:.0%}")
                time.sleep(1)
                sights[-1] = self.look(questions, LONGER)
        return sights

    @staticmethod
    def may_be_late(found: Sights, expected: Sights, when: str, strain: float) -> bool:
        """Right after a change a late adaptor is a wrong one; before any, it can but be silent."""
        different = [(found[question], sight) for question, sight in expected.items() if found[question] != sight]
        return (different != [] and strain >= TOO_MUCH
                and (when != BEFORE or all(is_mere_silence(*pair) for pair in different)))

    def compare(self, rules: Rules, questions: Sequence[Question], differ: bool = True,
                served: Sequence[int] = ()) -> dict[str, int]:
        """The heart of it: peers see the same with and without the adaptor, before, with and after the rules. If they
        do, but late, all is done once more."""
        plain = self.look_around(rules, questions, 0.05)
        self.assertEqual(plain[0], plain[2])
        if differ:
            self.assertNotEqual(plain[0], plain[1], "the rules change nothing: what is this test about?")
        for _ in range(2):
            with self.adapted(served), self.scene.growth() as grown:
                adapted = self.look_around(rules, questions, self.reaction, plain)
                said = self.scene.adaptor.text() if self.scene.adaptor else ""
            if self.late or adapted != plain:
                print(f"late: {'; '.join(self.late) or 'never'}; the adaptor said:\n{said}", file=sys.stderr)
            if not self.late or adapted != plain:
                break
        for when, before, after in zip(WHEN, plain, adapted):
            self.same(before, after, when)
        self.assertEqual(self.late, [], "right in the end, and late twice")
        return grown

    @contextlib.contextmanager
    def adapted(self, served: Sequence[int] = (), *options: object) -> typing.Iterator[None]:
        """The adaptor for the length of the block."""
        self.scene.adapt(*options)
        try:
            for port in served:
                self.scene.wait_until_served(port)
            yield
        except BaseException:
            if self.scene.adaptor:
                print(self.scene.adaptor.text(), file=sys.stderr)
            raise
        finally:
            self.dismiss()

    def dismiss(self) -> None:
        """Takes the adaptor away at once: its own farewell takes seconds, and has tests of its own."""
        adaptor, self.scene.adaptor = self.scene.adaptor, None
        if not adaptor:
            return
        adaptor.signal(signal.SIGKILL)
        adaptor.wait()
        inode = self.scene.path("server").stat().st_ino
        for pins in pathlib.Path("/sys/fs/bpf/vestibule").glob(f"{inode}-*"):
            shutil.rmtree(pins)
        self.scene.run("server", ["nft", "delete table inet vestibule_default"], check=False)

