"""What the tests of this folder share: a stage with the adaptor on it, sockets that live in its namespaces, peers
made by hand, and the counting of what the adaptor did.

A test that talks to a server through the adaptor also says how many connections the adaptor must have admitted: a
test in which the host's own stack did all the work would prove nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import os
import pathlib
import select
import signal
import socket
import struct
import sys
import threading
import typing
import unittest
from collections.abc import Callable, Iterator, Mapping, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lab"))
from network import Impairment  # noqa: E402
from process import PATIENCE, Process, StageError, tool, until  # noqa: E402
from stage import Stage  # noqa: E402

SKIPPED = 77  # SKIP_RETURN_CODE in CMakeLists.txt

IP_BIND_ADDRESS_NO_PORT = 24
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class Scene(Stage):
    """A stage whose server the adaptor meets peers for. Link addresses are known, so it can rehearse from the start."""

    def __init__(self, mtu: int = 1500, impairment: Impairment | None = None) -> None:
        super().__init__(mtu=mtu, static_neighbours=True, impairment=impairment)
        self.adaptor: Process | None = None

    def __exit__(self, kind, error, trace) -> None:  # type: ignore[no-untyped-def]
        if self.adaptor:
            self.adaptor.signal(signal.SIGKILL)  # its farewell takes seconds, and has tests of its own
        super().__exit__(kind, error, trace)

    # --- The adaptor --------------------------------------------------------------------------------------------------

    def adapt(self, *options: object, env: Mapping[str, str] | None = None) -> Process:
        """Puts the adaptor on the server's interface."""
        if not any(p.title.startswith("client") and p.title.endswith("pass --interface eth0") and p.running()
                   for p in self.processes):
            self.pass_frames("client", "eth0")
        self.adaptor = self.vestibule("server", "eth0", *options, env=env)
        return self.adaptor

    def vestibule_words(self, *interfaces_and_options: object) -> list[str]:
        """The command that the stage's `vestibule` runs, for those that must fail."""
        return [tool("cli/vestibule"), "run", "--interface", *map(str, interfaces_and_options)]

    def endpoint(self, port: int, family: int) -> dict[str, typing.Any] | None:
        """What `status` says of one of the server's endpoints."""
        address = self.server.address(family)
        for found in typing.cast(list[dict[str, typing.Any]], self.status("server")["endpoints"]):
            if (found["address"], found["port"]) == (address, port) and "vlan" not in found:
                return found
        return None

    def wait_for_state(self, state: str, port: int, families: Sequence[int] = (4, 6), timeout: float = 5) -> None:
        def is_so(family: int) -> bool:
            found = self.endpoint(port, family)
            return found is not None and found["state"] == state

        if not until(lambda: all(is_so(family) for family in families), timeout):
            raise StageError(f"port {port} is not {state}: {self.status('server')['endpoints']}")

    def wait_until_served(self, port: int, families: Sequence[int] = (4, 6), timeout: float = 5) -> None:
        self.wait_for_state("served", port, families, timeout)

    @contextlib.contextmanager
    def growth(self) -> Iterator[dict[str, int]]:
        """What the adaptor counts within the block; to be read after it."""
        grown: dict[str, int] = {}
        before = self.counters("server")
        yield grown
        after = self.counters("server")
        grown.update({name: after[name] - before[name] for name in after})

    @contextlib.contextmanager
    def protocol_growth(self, ns: str) -> Iterator[dict[str, int]]:
        """What the stack of a namespace counts within the block; to be read after it."""
        grown: dict[str, int] = {}
        before = self.netstat(ns)
        yield grown
        after = self.netstat(ns)
        grown.update({name: after[name] - before.get(name, 0) for name in after})

    # --- Sockets ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def inside(self, ns: str) -> Iterator[None]:
        """Sockets made in this block belong to the namespace, and go on belonging to it."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(self.path(ns), os.O_RDONLY)
        try:
            enter(there)
            yield
        finally:
            enter(home)
            os.close(home)
            os.close(there)

    def socket(self, ns: str, family: int = 4, protocol: int = 0) -> socket.socket:
        with self.inside(ns):
            made = socket.socket(FAMILIES[family], socket.SOCK_STREAM, protocol)
        made.settimeout(10 * PATIENCE)
        return made

    def listen(self, port: int, family: int = 4, backlog: int = 512, protocol: int = 0,
               prepare: Callable[[socket.socket], object] | None = None, address: str = "",
               ns: str = "server") -> socket.socket:
        """A listener on the server; `prepare` sets options before it is bound. An IPv6 one takes IPv4 peers too."""
        listener = self.socket(ns, family, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == 6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if prepare:
            prepare(listener)
        listener.bind((address, port))
        listener.listen(backlog)
        return listener

    def connect(self, port: int, family: int = 4, source: str | None = None, timeout: float = 10, protocol: int = 0,
                prepare: Callable[[socket.socket], object] | None = None, ns: str = "client") -> socket.socket:
        """A connection from the client to the server."""
        made = self.socket(ns, family, protocol)
        made.settimeout(timeout * PATIENCE)
        try:
            if prepare:
                prepare(made)
            if source:
                made.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                made.bind((source, 0))
            made.connect((self.server.address(family), port))
        except BaseException:
            made.close()
            raise
        return made

    def attached(self, ns: str) -> list[str]:
        """The BPF programs that stand at the interfaces of a namespace."""
        found = []
        for link in json.loads(self.ip(ns, "-j -d link show")):
            if "xdp" in link:
                found.append(f"{link['ifname']}: XDP {link['xdp']['prog'].get('name')}")
            with self.inside(ns):
                for where, hook in (("ingress", BPF_TCX_INGRESS), ("egress", BPF_TCX_EGRESS)):
                    found += [f"{link['ifname']}: {where}, program {number}"
                              for number in query_programs(link["ifindex"], hook)]
        return found


BPF_PROG_QUERY, BPF_TCX_INGRESS, BPF_TCX_EGRESS = 16, 46, 47
BPF_CALL = {"x86_64": 321, "aarch64": 280}[os.uname().machine]


def query_programs(ifindex: int, hook: int) -> list[int]:
    """The programs at a TCX hook of an interface of the present namespace: Debian 12's bpftool does not know these."""
    numbers = (ctypes.c_uint32 * 16)()
    query = ctypes.create_string_buffer(struct.pack("=IIIIQI", ifindex, hook, 0, 0, ctypes.addressof(numbers), 16), 64)
    if LIBC.syscall(BPF_CALL, BPF_PROG_QUERY, query, len(query)) != 0:
        raise OSError(ctypes.get_errno(), "BPF_PROG_QUERY")
    return list(numbers)[:struct.unpack_from("=I", query, 24)[0]]


def enter(namespace: int) -> None:
    if LIBC.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Acceptor(threading.Thread):
    """Accepts connections until closed; serves each, in this thread, with `serve`, then closes it."""

    def __init__(self, listener: socket.socket, serve: Callable[[socket.socket], object] = lambda _: None) -> None:
        super().__init__(daemon=True)
        self.listener = listener
        self.serve = serve
        self.accepted = 0
        self._end, self._told = socket.socketpair()
        listener.setblocking(False)
        self.start()

    def run(self) -> None:
        while self._told not in (ready := select.select([self.listener, self._told], [], [])[0]):
            with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
                self._take(self.listener.accept()[0])

    def _take(self, connection: socket.socket) -> None:
        self.accepted += 1
        connection.settimeout(10)
        with connection, contextlib.suppress(OSError):
            self.serve(connection)

    def close(self) -> None:
        self._end.close()
        self.join()
        self._told.close()
        self.listener.close()


def echo_once(connection: socket.socket) -> None:
    connection.sendall(connection.recv(65536))


def receive_exactly(connection: socket.socket, length: int) -> bytes:
    got = bytearray()
    while len(got) < length:
        more = connection.recv(length - len(got))
        if not more:
            break
        got += more
    return bytes(got)


# --- TCP_INFO ---------------------------------------------------------------------------------------------------------

TIMESTAMPS, SACK, WINDOW_SCALE, ECN = 1, 2, 4, 8  # TCPI_OPT_*


@dataclasses.dataclass(frozen=True)
class TcpInfo:
    """What the stack knows of a connection (struct tcp_info)."""

    options: int
    peer_shift: int  # of the windows that the peer sends
    local_shift: int
    rto: int  # microseconds, as the next two
    rtt: int
    rttvar: int
    snd_mss: int
    rcv_mss: int
    advmss: int
    pmtu: int
    snd_cwnd: int
    rcv_ssthresh: int
    rcv_space: int
    retransmitted: int
    snd_wnd: int
    rcv_wnd: int


def tcp_info(connection: socket.socket) -> TcpInfo:
    raw = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512)
    words = struct.unpack_from("=24I", raw, 8)
    (rto, _, snd_mss, rcv_mss, _, _, _, _, _, _, _, _, _, pmtu, rcv_ssthresh, rtt, rttvar, _, snd_cwnd, advmss, _, _,
     rcv_space, retransmitted) = words
    snd_wnd, rcv_wnd = struct.unpack_from("=2I", raw, 228)
    return TcpInfo(raw[5], raw[6] & 15, raw[6] >> 4, rto, rtt, rttvar, snd_mss, rcv_mss, advmss, pmtu, snd_cwnd,
                   rcv_ssthresh, rcv_space, retransmitted, snd_wnd, rcv_wnd)


# --- The frame of a test file -----------------------------------------------------------------------------------------

class SceneTest(unittest.TestCase):
    """Tests that share one scene. What `arrange` sets up is there for all of them."""

    scene: typing.ClassVar[Scene]

    @classmethod
    def setUpClass(cls) -> None:
        cls.scene = cls.enterClassContext(cls.make())
        cls.arrange()

    @classmethod
    def make(cls) -> Scene:
        return Scene()

    @classmethod
    def arrange(cls) -> None:
        pass

    def closing(self, thing: typing.Any) -> typing.Any:
        """Closes it after the test."""
        self.addCleanup(thing.close)
        return thing


def main() -> None:
    """Runs the tests of the calling file. All skipped: the exit status says so."""
    result = unittest.main(verbosity=2, exit=False).result
    if not result.wasSuccessful() or result.testsRun + len(result.skipped) == 0:
        sys.exit(1)
    if len(result.skipped) >= result.testsRun:
        sys.exit(SKIPPED)
