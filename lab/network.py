"""Network namespaces, links between them and what runs in them, all of which goes in the end.

Namespaces have names of their own (process id, random number), so networks may stand side by side. One takes with it what it
brought: processes, namespaces, pins, files. After a SIGKILL `leftovers.py` does it. VESTIBULE_KEEP=1 keeps logs.
"""

from __future__ import annotations

import atexit
import dataclasses
import json
import os
import pathlib
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import typing
from collections.abc import Mapping, Sequence
from types import FrameType, TracebackType

from leftovers import NAMESPACES, PREFIX, remove_namespace, telling
from process import ENVIRONMENT, Process, StageError, command, tool, until

# Cookies as a host has them; no path filter and no address detection that would lose or delay the first frames.
SYSCTLS = {
    "net.ipv4.tcp_syncookies": 1,
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
    "net.ipv6.conf.all.accept_dad": 0,
    "net.ipv6.conf.default.accept_dad": 0,
}


@dataclasses.dataclass(frozen=True)
class End:
    """One end of a link."""

    namespace: str
    interface: str
    v4: str
    v6: str
    link: str

    def address(self, family: int) -> str:
        """The address of family 4 or 6."""
        return self.v6 if family == 6 else self.v4


@dataclasses.dataclass(frozen=True)
class Impairment:
    """What a link does to what it carries, alike in both directions. With the same seed it loses the same segments of
    each flow (lab/fates.hpp). Only TCP segments are lost, doubled or put out of order."""

    rtt: float = 0  # milliseconds, as the next
    jitter: float = 0
    loss: float = 0  # percent, as the next
    duplicates: float = 0
    seed: int = 1

    def options(self) -> list[object]:
        return ["--delay", self.rtt / 2, "--jitter", self.jitter, "--loss", self.loss,
                "--duplicates", self.duplicates, "--seed", self.seed]


class Network:
    """Namespaces and all that is in them; in the beginning, none."""

    def __init__(self, mtu: int = 1500, transcript: bool = False) -> None:
        """With `transcript`, what is run and spawned is told on the standard error stream."""
        self.mtu = mtu
        self.transcript = transcript
        self.tag = f"{PREFIX}-{os.getpid()}-{secrets.token_hex(2)}"
        self.processes: list[Process] = []
        self._namespaces: list[str] = []
        self._handlers: dict[signal.Signals, object] = {}

    # --- Coming and going ---------------------------------------------------------------------------------------------

    def __enter__(self) -> typing.Self:
        if os.geteuid() != 0:
            raise StageError("network namespaces want root")
        self._catch_signals()
        atexit.register(self._strike)  # unittest lets a Ctrl-C pass, and forgets what there is to clean up
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.tag}-"))
        try:
            self._build()
        except BaseException:
            self._strike()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._strike()

    def _build(self) -> None:
        """What there is to begin with."""

    def _catch_signals(self) -> None:
        """SIGTERM and SIGHUP end the `with` block like an exception, as SIGINT does by itself."""
        if threading.current_thread() is not threading.main_thread():
            return

        def leave(number: int, _: FrameType | None) -> None:
            raise SystemExit(128 + number)

        for number in (signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, leave)

    def _strike(self) -> None:
        atexit.unregister(self._strike)
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
        try:
            for process in reversed(self.processes):
                process.signal(signal.SIGTERM)
            until(lambda: not any(process.running() for process in self.processes), 5)
            for ns in reversed(self._namespaces):
                if self.path(ns).exists():
                    with telling():
                        remove_namespace(self.path(ns).name)
            for process in self.processes:
                process.popen.wait()
            if os.environ.get("VESTIBULE_KEEP"):
                print(f"logs are kept in {self.directory}", file=sys.stderr)
            else:
                shutil.rmtree(self.directory, ignore_errors=True)
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)  # type: ignore[arg-type]
            signal.pthread_sigmask(signal.SIG_SETMASK, held)

    # --- Namespaces and links -----------------------------------------------------------------------------------------

    def path(self, ns: str) -> pathlib.Path:
        return NAMESPACES / f"{self.tag}-{ns}"

    def namespace(self, ns: str) -> None:
        """A namespace with nothing but its loopback interface."""
        self._namespaces.append(ns)  # before it is there: who interrupts `ip` may find it made all the same
        command(["ip", "netns", "add", self.path(ns).name])
        self.sysctl(ns, SYSCTLS)
        self.ip(ns, "link set lo up")

    def veth(self, ns: str, interface: str, other_ns: str, other_interface: str, mtu: int | None = None) -> None:
        """A pair of interfaces, both up."""
        one, other = self.path(ns).name, self.path(other_ns).name
        size = f"mtu {mtu or self.mtu}"
        command(f"ip link add {interface} {size} netns {one} type veth peer name {other_interface} {size} netns {other}"
                .split())
        self.ip(ns, f"link set {interface} up")
        self.ip(other_ns, f"link set {other_interface} up")

    def impaired(self, ns: str, interface: str, other_ns: str, other_interface: str, by: Impairment) -> Process:
        """Like veth(), but what is between them is no good. Stopped, it prints what it carried and lost."""
        link = self.spawn(ns, [tool("lab/vestibule-lab-link"), "--one", self.path(ns), interface,
                               "--other", self.path(other_ns), other_interface, *by.options()])
        link.wait_for("^ready$")
        os.sched_setscheduler(link.pid, os.SCHED_FIFO, os.sched_param(1))  # a wire waits for nobody's CPU
        for end_ns, end in ((ns, interface), (other_ns, other_interface)):
            self.ip(end_ns, f"link set {end} mtu {self.mtu} up")
        return link

    def address(self, ns: str, interface: str, *addresses: str) -> None:
        for address in addresses:
            self.ip(ns, f"address add {address} dev {interface}" + (" nodad" if ":" in address else ""))

    def route(self, ns: str, destination: str, via: str) -> None:
        self.ip(ns, f"-{6 if ':' in via else 4} route add {destination} via {via}")

    def know(self, end: End, other: End) -> None:
        """Fixes the link address of one end's neighbour."""
        for address in (other.v4, other.v6):
            self.ip(end.namespace, f"neigh replace {address} lladdr {other.link} dev {end.interface} nud permanent")

    def link(self, ns: str, interface: str) -> str:
        """The link address of an interface."""
        return json.loads(self.ip(ns, f"-j link show {interface}"))[0]["address"]

    def own(self, ns: str, prefix: str) -> None:
        """Makes all addresses of the prefix local: connections may be opened from any of them."""
        self.sysctl(ns, "net.ipv6.ip_nonlocal_bind", 1)  # for IPv4 the route is enough
        self.ip(ns, f"-{6 if ':' in prefix else 4} route add local {prefix} dev lo")

    # --- What happens in a namespace ----------------------------------------------------------------------------------

    def run(self, ns: str, argv: Sequence[object], check: bool = True, timeout: float = 60, input: str | None = None,
            env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, both streams captured."""
        self._tell(ns, argv)
        try:
            done = subprocess.run(self._words(ns, argv), env={**ENVIRONMENT, **(env or {})}, input=input,
                                  capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            raise StageError(f"{self._title(ns, argv)}: still running after {timeout} s") from None
        if check and done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise StageError(f"{self._title(ns, argv)}: exit status {done.returncode}: {said}")
        return done

    def spawn(self, ns: str, argv: Sequence[object], env: Mapping[str, str] | None = None) -> Process:
        """Starts a command; the stage ends it at the latest when it ends itself."""
        self._tell(ns, argv)
        log = self.directory / f"{len(self.processes):02}-{ns}-{pathlib.Path(str(argv[0])).name}.log"
        process = Process(self._words(ns, argv), self._title(ns, argv), log, {**ENVIRONMENT, **(env or {})})
        self.processes.append(process)
        return process

    def _quietly(self, ns: str, *argv: object) -> str:
        return command(self._words(ns, argv))

    def _words(self, ns: str, argv: Sequence[object]) -> list[str]:
        # `ip netns exec` would hide bpffs behind a fresh mount namespace.
        return ["nsenter", f"--net={self.path(ns)}", "--", *map(str, argv)]

    def _tell(self, ns: str, argv: Sequence[object]) -> None:
        if self.transcript:
            print(self._title(ns, argv), file=sys.stderr, flush=True)

    @staticmethod
    def _title(ns: str, argv: Sequence[object]) -> str:
        return f"{ns}$ {shlex.join(map(str, argv))}"

    def ip(self, ns: str, words: str) -> str:
        return self._quietly(ns, "ip", *words.split())

    def sysctl(self, ns: str, values: Mapping[str, object] | str, value: object | None = None) -> None:
        """sysctl(ns, "net.ipv4.tcp_sack", 0), or several at once in a dictionary."""
        pairs = {values: value} if isinstance(values, str) else values
        self._quietly(ns, "sysctl", "-q", "-w", *(f"{key}={value}" for key, value in pairs.items()))

    def netstat(self, ns: str) -> dict[str, int]:
        """The protocol counters of a namespace, by names such as TcpPassiveOpens and TcpExtSyncookiesSent."""
        text = self._quietly(ns, "cat", "/proc/net/snmp", "/proc/net/netstat")
        lines = [line.split() for line in text.splitlines()]
        return {names[0].rstrip(":") + name: int(value)
                for names, values in zip(lines[::2], lines[1::2])
                for name, value in zip(names[1:], values[1:])}

    def listens(self, ns: str, port: int) -> bool:
        text = self._quietly(ns, "cat", "/proc/net/tcp", "/proc/net/tcp6")
        return re.search(rf":{port:04X} [0-9A-F]+:0000 0A ", text) is not None

    def wait_until_listening(self, ns: str, port: int, timeout: float = 10) -> None:
        if not until(lambda: self.listens(ns, port), timeout):
            raise StageError(f"nothing listens on port {port} of {ns} after {timeout} s")
