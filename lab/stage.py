#!/usr/bin/env python3
"""Private networks made of network namespaces, for the demo, the tests and the benchmarks.

        client                                                        server
        a peer, and the way to all other peers                        the host whose listeners are served
       +---------------------------------------+  veth pair, or an   +---------------------------------------+
       |                                       |  impaired link      |                                       |
       | eth0   10.77.0.1/24   fd77::1/64      |---------------------| eth0   10.77.0.2/24   fd77::2/64      |
       |                                       |                     |        default routes: the client     |
       | stage.own("client", "10.78.0.0/16"):  |                     |                                       |
       | as many peers as wanted               |                     |                           to-<name>   |
       +---------------------------------------+                     +---------------------------------------+
            |  stage.neighbour("neighbour"):                                                      |
            |  on the same link as the server (macvlan)                stage.container("box"):    |
       +---------------------------------------+                       behind the server (veth)   |
       | eth0   10.77.0.3/24   fd77::3/64      |                     +---------------------------------------+
       +---------------------------------------+                     | eth0   10.88.1.2/24   fd88:1::2/64    |
                                                                     +---------------------------------------+

    with Stage() as stage:
        stage.nginx("server", 80)
        stage.pass_frames("client", "eth0")
        stage.vestibule("server", "eth0")
        print(stage.run("client", ["curl", "-s", "http://10.77.0.2/"]).stdout)

The impaired link of Stage(impairment=Impairment(rtt=50, loss=5)) is a program with a TAP interface at each end
(lab/link.cpp).

Namespaces have names of their own (process id, random number), so stages may stand side by side. A stage takes with it
what it brought: processes, namespaces, pins, files. After a SIGKILL `stage.py sweep` does it.

VESTIBULE_BUILD names the build tree (default: build, beside this directory); VESTIBULE_KEEP=1 keeps logs;
VESTIBULE_PATIENCE says how many times slower than usual this machine is.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import fcntl
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
import time
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType, TracebackType

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("VESTIBULE_BUILD", ROOT / "build"))
PATIENCE = float(os.environ.get("VESTIBULE_PATIENCE", 1))
NAMESPACES = pathlib.Path("/run/netns")
LOCK = NAMESPACES.parent  # a directory is locked: it is there anyway, and no file is left behind
PREFIX = "vestibule-lab"

# Cookies as a host has them; no path filter and no address detection that would lose or delay the first frames.
SYSCTLS = {
    "net.ipv4.tcp_syncookies": 1,
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
    "net.ipv6.conf.all.accept_dad": 0,
    "net.ipv6.conf.default.accept_dad": 0,
}


class StageError(Exception):
    """What was asked of the stage did not happen."""


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


def tool(path: str) -> str:
    """A program of the build tree."""
    program = BUILD / path
    if not program.exists():
        raise StageError(f"{program} is not there: build first, or set VESTIBULE_BUILD")
    return str(program)


def until(happened: Callable[[], bool], timeout: float, pause: float = 0.02) -> bool:
    """Waits for something to happen; says whether it did."""
    deadline = time.monotonic() + timeout * PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


# The namespaces' programs stand where an ordinary user's PATH does not look.
ENVIRONMENT = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}


def command(argv: Sequence[object], timeout: float | None = 60) -> str:
    """Runs a command here, in no namespace of the stage; returns what it printed."""
    words = [str(word) for word in argv]
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise StageError(f"{shlex.join(words)}: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return done.stdout


class Process:
    """A process of the stage. What it prints, on either stream, goes to `log`."""

    def __init__(self, argv: Sequence[str], title: str, log: pathlib.Path, env: Mapping[str, str]) -> None:
        self.title = title
        self.log = log
        with log.open("wb") as output:
            # In a session of its own, a Ctrl-C at the terminal reaches the stage alone, which ends things in order.
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def running(self) -> bool:
        return self.popen.poll() is None

    def wait_for(self, pattern: str, timeout: float = 10) -> re.Match[str]:
        """Waits until some line printed so far matches the regular expression."""
        line = re.compile(pattern, re.MULTILINE)
        until(lambda: not self.running() or bool(line.search(self.text())), timeout)
        found = line.search(self.text())
        if not found:
            raise self.trouble(f"no line like '{pattern}' within {timeout} s")
        return found

    def wait(self, timeout: float = 60) -> int:
        """Waits for the end; returns the exit status."""
        try:
            return self.popen.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            raise self.trouble(f"still running after {timeout} s") from None

    def json(self, timeout: float = 60) -> dict[str, typing.Any]:
        """Waits for success; returns the last line, read as JSON."""
        if self.wait(timeout) != 0:
            raise self.trouble("failed")
        return json.loads(self.text().strip().splitlines()[-1])

    def signal(self, number: signal.Signals) -> None:
        if self.running():
            self.popen.send_signal(number)

    def stop(self, timeout: float = 10) -> int:
        """Asks the process to end, insists when it does not; returns the exit status."""
        self.signal(signal.SIGTERM)
        if not until(lambda: not self.running(), timeout):
            self.popen.kill()
        return self.popen.wait()

    def trouble(self, what: str) -> StageError:
        state = "running" if self.running() else f"ended with status {self.popen.returncode}"
        tail = "\n".join(f"    {line}" for line in self.text().splitlines()[-20:])
        return StageError(f"{self.title}: {what} ({state}); its last lines:\n{tail}")


class Stage:
    """The namespaces `client` and `server`, what else is added, and all that runs in them."""

    def __init__(self, mtu: int = 1500, static_neighbours: bool = False, transcript: bool = False,
                 impairment: Impairment | None = None) -> None:
        """With `transcript`, what is run and spawned is told on the standard error stream. With an `impairment`, the
        link between client and server is the process `impaired_link`."""
        self.mtu = mtu
        self.impairment = impairment
        self.impaired_link: Process | None = None
        self.static_neighbours = static_neighbours
        self.transcript = transcript
        self.tag = f"{PREFIX}-{os.getpid()}-{secrets.token_hex(2)}"
        self.processes: list[Process] = []
        self._namespaces: list[str] = []
        self._containers = 0
        self._receivers: dict[tuple[str, str], int] = {}
        self._handlers: dict[signal.Signals, object] = {}

    # --- Coming and going ---------------------------------------------------------------------------------------------

    def __enter__(self) -> Stage:
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
        self.namespace("client")
        self.namespace("server")
        if self.impairment:
            self.impaired_link = self.impaired("client", "eth0", "server", "eth0", self.impairment)
        else:
            self.veth("client", "eth0", "server", "eth0")
        self.client = self._settle("client", "eth0", "10.77.0.1/24", "fd77::1/64")
        self.server = self._settle("server", "eth0", "10.77.0.2/24", "fd77::2/64")
        self.route("server", "default", "10.77.0.1")
        self.route("server", "default", "fd77::1")
        if self.static_neighbours:
            self.know(self.client, self.server)
            self.know(self.server, self.client)

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

    def neighbour(self, ns: str = "neighbour", host: int = 3) -> End:
        """One more peer on the server's own link: no gateway in between."""
        self.namespace(ns)
        self.ip("client", f"link add link eth0 name {ns[:15]} type macvlan mode bridge")
        self.ip("client", f"link set {ns[:15]} netns {self.path(ns).name} name eth0")
        self.ip(ns, "link set eth0 up")
        return self._settle(ns, "eth0", f"10.77.0.{host}/24", f"fd77::{host}/64")

    def container(self, ns: str = "container") -> End:
        """A namespace behind the server, which forwards for it, as a container host does."""
        self._containers += 1
        v4, v6 = f"10.88.{self._containers}", f"fd88:{self._containers}:"
        self.namespace(ns)
        self.veth("server", f"to-{ns}"[:15], ns, "eth0")
        self.address("server", f"to-{ns}"[:15], f"{v4}.1/24", f"{v6}:1/64")
        self.sysctl("server", {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1})
        end = self._settle(ns, "eth0", f"{v4}.2/24", f"{v6}:2/64")
        for via, back, subnet in ((f"{v4}.1", self.server.v4, f"{v4}.0/24"), (f"{v6}:1", self.server.v6, f"{v6}:/64")):
            self.route(ns, "default", via)
            self.route("client", subnet, back)
        return end

    def _settle(self, ns: str, interface: str, v4: str, v6: str) -> End:
        self.address(ns, interface, v4, v6)
        return End(ns, interface, v4.split("/")[0], v6.split("/")[0], self.link(ns, interface))

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

    # --- Servers ------------------------------------------------------------------------------------------------------

    def nginx(self, ns: str, port: int = 80, backlog: int = 511, big: int = 1 << 28) -> Process:
        """A web server with one worker, both families: / is a line of text, /big has that many bytes."""
        prefix = self.directory / f"nginx-{ns}-{port}"
        (prefix / "pages").mkdir(parents=True)
        (prefix / "pages/index.html").write_text(f"{ns}, port {port}\n")
        with (prefix / "pages/big").open("wb") as file:
            file.truncate(big)
        (prefix / "nginx.conf").write_text(nginx_configuration(prefix, port, backlog))
        server = self.spawn(ns, ["nginx", "-p", prefix, "-c", prefix / "nginx.conf", "-e", prefix / "error.log"])
        until(lambda: not server.running() or self.listens(ns, port), 10)
        if not self.listens(ns, port):
            raise server.trouble(f"does not listen on port {port}")
        return server

    def vestibule(self, ns: str, interface: str, *options: object, env: Mapping[str, str] | None = None) -> Process:
        """The program all this is about, up and answering."""
        process = self.spawn(ns, [tool("cli/vestibule"), "run", "--interface", interface, *options], env)
        process.wait_for("^ready$", 30)
        return process

    def status(self, ns: str) -> dict[str, object]:
        return json.loads(self._quietly(ns, tool("cli/vestibule"), "status", "--json"))

    def counters(self, ns: str) -> dict[str, int]:
        return self.status(ns)["counters"]  # type: ignore[return-value]

    def wait_for_service(self, ns: str, port: int, *addresses: str, timeout: float = 5) -> None:
        """Waits until Vestibule answers for that port of these addresses."""
        def served() -> set[str]:
            ends: list[dict[str, object]] = self.status(ns)["endpoints"]  # type: ignore[assignment]
            return {str(end["address"]) for end in ends if (end["port"], end["state"]) == (port, "served")}

        if not until(lambda: set(addresses) <= served(), timeout):
            raise StageError(f"Vestibule does not serve port {port} of {ns}: {json.dumps(self.status(ns)['endpoints'])}")

    # --- Frames -------------------------------------------------------------------------------------------------------

    def pass_frames(self, ns: str, interface: str) -> Process:
        """A program that passes all frames: with it, veth takes what the other end sends with XDP_TX."""
        return self._xdp("pass", ns, interface)

    def sink_frames(self, ns: str, interface: str) -> Process:
        """Like pass_frames(), but what a flood's random sources sent or should get ends here, at little cost.

        Stopped, it prints {"sunk": N}.
        """
        return self._xdp("sink", ns, interface)

    def return_frames(self, ns: str, interface: str) -> Process:
        """The bare program that returns SYNs with XDP_TX; stopped, it prints {"returned": N}."""
        return self._xdp("tx", ns, interface)

    def _xdp(self, what: str, ns: str, interface: str) -> Process:
        process = self.spawn(ns, [tool("lab/vestibule-lab-xdp"), what, "--interface", interface])
        process.wait_for("^ready$")
        return process

    def take_frames(self, ns: str, interface: str) -> None:
        """Without an XDP program of its own, veth takes frames from another XDP program only when it does GRO."""
        self._quietly(ns, "ethtool", "-K", interface, "gro", "on")

    def flood(self, *options: object, port: int = 80, family: int = 4, cpu: int | None = None) -> Process:
        """SYNs from the client's end to the server: stage.flood("--rate", 300_000, "--seconds", 5).json()."""
        self.take_frames(self.server.namespace, self.server.interface)
        return self.spawn("client", [
            tool("lab/vestibule-flood"), "--interface", self.client.interface, "--destination-link", self.server.link,
            "--destination", self.server.address(family), "--port", port, *options,
            *(() if cpu is None else ("--pin-cpu", cpu)),
        ])

    def pin_receive(self, ns: str, interface: str, cpu: int, first: bool = False) -> None:
        """Moves the receiving work of a veth interface into a kernel thread, on a CPU of the caller's choice.

        As a thread it shares that CPU with others, like ksoftirqd; with `first` it goes before them, like an interrupt:
        where others may want the CPU, a queue of 256 frames does not outlast their time slices.
        """
        # GRO keeps the interface's receiving machinery, and so the thread, when XDP programs come and go.
        self.take_frames(ns, interface)
        if (ns, interface) not in self._receivers:
            self._receivers[ns, interface] = self._start_receiver(ns, interface)
        thread = self._receivers[ns, interface]
        os.sched_setaffinity(thread, {cpu})
        os.sched_setscheduler(thread, os.SCHED_FIFO if first else os.SCHED_OTHER, os.sched_param(1 if first else 0))

    def receiving_seconds(self, ns: str, interface: str) -> float:
        """Processor time that the receiving thread of pin_receive has had so far."""
        statistics = pathlib.Path(f"/proc/{self._receivers[ns, interface]}/schedstat").read_text()
        return int(statistics.split()[0]) / 1e9

    def _start_receiver(self, ns: str, interface: str) -> int:
        # Kernel threads are named after the interface, which other stages have too: one at a time.
        with locked(LOCK):
            before = threads_named(f"napi/{interface}-")
            threaded = f"/sys/class/net/{interface}/threaded"
            # sysfs shows the namespace it was mounted in; here the fresh mount of `ip netns exec` is wanted.
            command(["ip", "netns", "exec", self.path(ns).name, "sh", "-c", f"echo 1 > {threaded}"])
            new = threads_named(f"napi/{interface}-") - before
        if len(new) != 1:
            raise StageError(f"{ns}: {interface} has {len(new)} new receiving threads, not one")
        return new.pop()


def nginx_configuration(prefix: pathlib.Path, port: int, backlog: int) -> str:
    # The worker stays root: the stage's directory is closed to others.
    return f"""\
        user root;
        daemon off;
        worker_processes 1;
        worker_rlimit_nofile 65536;
        pid {prefix}/pid;
        events {{ worker_connections 32768; }}
        http {{
            access_log off;
            sendfile on;
            keepalive_requests 1000000000;
            client_body_temp_path {prefix}/body;
            proxy_temp_path {prefix}/proxy;
            fastcgi_temp_path {prefix}/fastcgi;
            uwsgi_temp_path {prefix}/uwsgi;
            scgi_temp_path {prefix}/scgi;
            server {{
                listen {port} backlog={backlog};
                listen [::]:{port} backlog={backlog} ipv6only=on;
                root {prefix}/pages;
            }}
        }}
        """


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """In the course of clearing up, one failure does not prevent the rest."""
    try:
        yield
    except (StageError, OSError) as error:
        print(f"stage: {error}", file=sys.stderr)


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    held = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def threads_named(start: str) -> set[int]:
    found = set()
    for comm in pathlib.Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):  # it may have ended meanwhile
            if comm.read_text().startswith(start):
                found.add(int(comm.parent.name))
    return found


def pids_in(namespace: str) -> list[int]:
    return [int(pid) for pid in command(["ip", "netns", "pids", namespace]).split()]


def kill_all(namespace: str) -> bool:
    pids = pids_in(namespace)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return not pids


def remove_namespace(namespace: str) -> None:
    """With its processes, and with what a vestibule that was killed in it left pinned."""
    until(lambda: kill_all(namespace), 5)
    inode = (NAMESPACES / namespace).stat().st_ino
    for parent in ("/sys/fs/bpf/vestibule", "/run/vestibule"):
        for left in pathlib.Path(parent).glob(f"{inode}-*"):
            shutil.rmtree(left, ignore_errors=True)
        with contextlib.suppress(OSError):  # another instance lives there, or none ever did
            os.rmdir(parent)
    command(["ip", "netns", "delete", namespace])


def alive(pid: int) -> bool:
    return pathlib.Path(f"/proc/{pid}").exists()


def sweep() -> None:
    """Removes what stages left behind whose process was killed."""
    name = re.compile(rf"{PREFIX}-(\d+)-[0-9a-f]+-")
    for place, remove in ((NAMESPACES, lambda path: remove_namespace(path.name)),
                          (pathlib.Path(tempfile.gettempdir()), shutil.rmtree)):
        for path in sorted(place.glob(f"{PREFIX}-*")):
            stage = name.match(path.name)
            if stage and not alive(int(stage[1])):
                with telling():
                    remove(path)
                    print(f"removed {path}")


def main() -> None:
    if sys.argv[1:] != ["sweep"]:
        sys.exit("usage: stage.py sweep")
    sweep()


if __name__ == "__main__":
    main()
