#!/usr/bin/python3
"""One flood, two servers: the plain kernel and Vestibule, one after the other in the same scene.

    namespace "client"                                            namespace "server"
   +----------------------------------------------+  veth pair   +-----------------------------------------------+
   |  visitors, 10.78.0.0/28                      |              |                       eth0 10.77.0.2          |
   |    SYN, a page, good-bye  ------------------>|              |  first scene    nginx <- TCP <- driver        |
   |                           eth0 10.77.0.1     |==============|                                               |
   |  flood, 198.18.0.0/15 (random)               |              |  second scene   nginx <- TCP <- [Vestibule]   |
   |    SYN SYN SYN SYN SYN ..  ----------------->|              |                       in the driver, by XDP   |
   |  sink <-------------- SYN-ACKs to nobody     |              |                                               |
   +----------------------------------------------+              +-----------------------------------------------+
       CPU 0: flood, receiving                                        CPU 1: receiving, nginx

Both scenes have the same kernel, nginx, sysctls (tcp_syncookies=1), queue and CPUs; all frames to the server pass one
queue. Receiving is an interrupt's work on a host: here it is a kernel thread's, before all ordinary processes of its
CPU, and nginx and the visitors go before it, so that what they wait for is the network and not the CPU.

Visitors have CPUs of their own where there are four. On two, half of them share the flood's, half the server's: the
first find the queue emptier than it is (the flood pauses while they work), the others fuller.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import os
import pathlib
import re
import shutil
import sys
import textwrap
import time
import typing
from collections.abc import Callable, Iterator, Sequence

from leftovers import pids_in
from process import Process, StageError, tool
from stage import Stage

PORT = 80
PATIENCE = 3.0  # seconds for a visit
SETTLE = 1.0  # seconds from the flood's begin to the first visit
RECEIVING, SERVING, VISITING = 1, 2, 3  # real-time priorities

# Each CPU of a kernel takes memory for TCP's buffers, of all namespaces, by the MiB: what is less cannot be seen.
BUFFER_STEPS = (os.cpu_count() or 1) << 20

PLAIN, VESTIBULE = "plain kernel", "Vestibule"


@dataclasses.dataclass(frozen=True)
class Plan:
    flood: int  # SYNs per second
    visits: int  # per second
    seconds: int

    @property
    def tried(self) -> int:
        return self.visits * self.seconds


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a scene showed."""

    title: str
    tried: int
    completed: int
    connect_p50: float  # seconds; infinite: that many visits did not connect
    connect_p99: float
    sent_per_sec: float
    answered_per_sec: float
    half_open: int
    half_open_bytes: int
    buffer_bytes: int


# --- On the terminal --------------------------------------------------------------------------------------------------

TERMINAL = sys.stdout.isatty()


def styled(text: str, code: str) -> str:
    return f"\033[{code}m{text}\033[m" if TERMINAL and "NO_COLOR" not in os.environ else text


class Progress:
    """One line that changes, on a terminal; elsewhere one line for each thing begun."""

    def __init__(self, title: str) -> None:
        self.title = title

    def say(self, what: str) -> None:
        if TERMINAL:
            self._write(f"{self.title:>14}  {what}")
        else:
            print(f"{self.title}: {what}", flush=True)

    def show(self, share: float, what: str) -> None:
        if TERMINAL:
            width = 24
            done = round(width * min(max(share, 0), 1))
            bar = styled("━" * done, "36") + styled("─" * (width - done), "2")
            self._write(f"{self.title:>14}  {bar}  {what}")

    def close(self) -> None:
        if TERMINAL:
            self._write("")

    @staticmethod
    def _write(text: str) -> None:
        print(f"\r\033[K{text}", end="", flush=True)


class Silence(Progress):
    def say(self, what: str) -> None:
        pass

    show = close = lambda *_: None  # type: ignore[assignment]


# --- The scene --------------------------------------------------------------------------------------------------------

def cpus() -> tuple[int, int, list[int]]:
    """For the flood, for the server, and for the visitors."""
    able = sorted(os.sched_getaffinity(0))
    flood, server = able[0], able[min(1, len(able) - 1)]
    return flood, server, able[2:4] if len(able) >= 4 else [flood, server]


@contextlib.contextmanager
def spawning_on(cpu: int) -> Iterator[None]:
    """Processes that are spawned in this block stay on that CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def prefer(pids: Sequence[int], priority: int) -> None:
    for pid in pids:
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(priority))


def set_up(stage: Stage) -> None:
    """All that both scenes have."""
    flood_cpu, server_cpu, _ = cpus()
    stage.own("client", "10.78.0.0/28")
    # With segmentation offload, and without XDP at the other end, veth has a way for TCP that leads past the queue.
    stage.run("client", ["ethtool", "-K", "eth0", "tso", "off"])
    stage.pin_receive("server", "eth0", server_cpu, first=True)
    stage.pin_receive("client", "eth0", flood_cpu, first=True)
    with spawning_on(server_cpu):
        stage.nginx("server", PORT)
    prefer(pids_in(stage.path("server").name), SERVING)


def invite_visitors(stage: Stage, plan: Plan) -> list[Process]:
    """They come SETTLE seconds later."""
    visitors = []
    _, _, own = cpus()
    for n, cpu in enumerate(own):
        with spawning_on(cpu):
            visitors.append(stage.spawn("client", [
                tool("lab/vestibule-visitors"), "--server", stage.server.v4, "--port", PORT,
                "--sources", f"10.78.0.{8 * n}/29", "--rate", plan.visits / len(own), "--seconds", plan.seconds,
                "--patience", PATIENCE, "--delay", SETTLE,
            ]))
    for one in visitors:
        one.wait_for("^ready$")
        prefer([one.pid], VISITING)
    return visitors


def counts_so_far(visitors: Sequence[Process]) -> tuple[int, int]:
    """How many visits were tried and completed."""
    found = [re.findall(r'^{"tried": (\d+), "completed": (\d+)', one.text(), re.MULTILINE) for one in visitors]
    last = [tuple(map(int, lines[-1])) for lines in found if lines]
    return sum(tried for tried, _ in last), sum(completed for _, completed in last)


@dataclasses.dataclass
class Memory:
    """The most that the server's host held at any one reading: half-open connections, and buffers beyond the first."""

    stage: Stage
    half_open: int = 0
    buffer_bytes: int = 0
    _before: int = -1

    def read(self) -> None:
        # Not from /proc/net/tcp, which counts some twice when they come and go as fast as here.
        listed = self.stage.run("server", ["ss", "-Htn4", "state", "syn-recv"]).stdout
        self.half_open = max(self.half_open, listed.count("\n"))
        sockstat = pathlib.Path("/proc/net/sockstat").read_text()
        pages = re.search(r"^TCP: .* mem (\d+)$", sockstat, re.MULTILINE)
        held = int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if pages else 0
        if self._before < 0:
            self._before = held
        self.buffer_bytes = max(self.buffer_bytes, held - self._before)

    @property
    def half_open_bytes(self) -> int:
        return self.half_open * request_socket_bytes()


def request_socket_bytes() -> int:
    """What the slab allocator gives out for one."""
    found = re.search(r"^request_sock_TCP +\d+ +\d+ +(\d+) ", pathlib.Path("/proc/slabinfo").read_text(), re.MULTILINE)
    if not found:
        raise StageError("/proc/slabinfo does not say how large a request socket is")
    return int(found[1])


def watch(visitors: Sequence[Process], memory: Memory, progress: Progress, plan: Plan) -> None:
    began = time.monotonic()
    longest = SETTLE + plan.seconds + PATIENCE
    next_reading = 0.0
    while any(one.running() for one in visitors):
        passed = time.monotonic() - began
        if passed >= next_reading:
            memory.read()
            next_reading = passed + 0.5
        tried, completed = counts_so_far(visitors)
        progress.show(passed / longest, f"{passed:2.0f} s   {completed:,} of {tried:,} visits completed")
        if passed > longest + 10:
            raise visitors[0].trouble("takes too long")
        time.sleep(0.1)


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that so large a share of all does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def connect_times(reports: Sequence[dict[str, typing.Any]]) -> list[float]:
    return [math.inf if took is None else took for report in reports for took in report["connect_seconds"]]


def perform(stage: Stage, title: str, progress: Progress, plan: Plan) -> Seen:
    """Flood and visitors, when all else is in place."""
    sink = stage.sink_frames("client", "eth0")
    if title == VESTIBULE:
        stage.vestibule("server", "eth0")
        stage.wait_for_service("server", PORT, stage.server.v4)
    memory = Memory(stage)
    memory.read()
    visitors = invite_visitors(stage, plan)
    progress.say(f"{plan.flood:,} SYNs and {plan.visits} visits a second, for {plan.seconds} s")
    flood = stage.flood("--rate", plan.flood, "--seconds", SETTLE + plan.seconds + PATIENCE, cpu=cpus()[0], port=PORT)
    watch(visitors, memory, progress, plan)
    flood.stop()
    sink.stop()
    sent = flood.json()
    reports = [typing.cast("dict[str, typing.Any]", one.json()) for one in visitors]
    took = connect_times(reports)
    completed = sum(report["completed"] for report in reports)
    if title == VESTIBULE and (admitted := stage.counters("server")["admitted"]) < 0.9 * completed:
        raise StageError(f"of {completed} connections Vestibule admitted only {admitted}: something else did its work")
    return Seen(title, len(took), completed, percentile(took, 0.5), percentile(took, 0.99),
                sent["sent"] / sent["seconds"], sink.json()["sunk"] / sent["seconds"],
                memory.half_open, memory.half_open_bytes, memory.buffer_bytes)


def scene(title: str, plan: Plan, progress: Progress) -> Seen:
    try:
        progress.say("setting the scene")
        with Stage(static_neighbours=True) as stage:
            set_up(stage)
            seen = perform(stage, title, progress, plan)
            progress.say("striking the set")
        return seen
    finally:
        progress.close()


# --- What was seen ----------------------------------------------------------------------------------------------------

def in_time(value: float) -> str:
    if math.isinf(value):
        return f"over {PATIENCE:.0f} s"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.3g} ms"


def in_bytes(value: float) -> str:
    return "0" if value == 0 else f"{value / 1024:,.0f} KiB"


def in_buffers(value: float) -> str:
    return in_bytes(value) if value >= BUFFER_STEPS else f"under {in_bytes(BUFFER_STEPS)}"


def in_thousands(value: float) -> str:
    return f"{round(value, -3):,.0f}" if value >= 10_000 else f"{value:,.0f}"


@dataclasses.dataclass(frozen=True)
class Row:
    label: str
    value: Callable[[Seen], float]
    text: Callable[[float], str] = "{:,}".format
    better: int = 0  # 1: more is better, -1: less is

    def prefers(self, one: Seen, other: Seen) -> bool:
        """Whether the first did better, and by more than chance would have it."""
        mine, others = self.value(one), self.value(other)
        return self.better * mine > self.better * others and not math.isclose(mine, others, rel_tol=0.05)


ROWS = (
    Row("connections tried", lambda seen: seen.tried),
    Row(f"completed within {PATIENCE:.0f} s", lambda seen: seen.completed, better=1),
    Row("time to connect, median", lambda seen: seen.connect_p50, in_time, better=-1),
    Row("time to connect, 99th percentile", lambda seen: seen.connect_p99, in_time, better=-1),
    Row("SYNs of the flood per second", lambda seen: seen.sent_per_sec, in_thousands),
    Row("SYNs answered per second", lambda seen: seen.answered_per_sec, in_thousands, better=1),
    Row("half-open connections on the host", lambda seen: seen.half_open, better=-1),
    Row("host memory for them (slab)", lambda seen: seen.half_open_bytes, in_bytes, better=-1),
    Row("TCP buffers, growth (sockstat)", lambda seen: seen.buffer_bytes, in_buffers),
)


def cell(row: Row, seen: Seen, other: Seen) -> str:
    text = f"{row.text(row.value(seen)):>18}"
    return styled(text, "1;32") if row.prefers(seen, other) else text


def table(plain: Seen, ours: Seen) -> str:
    heading = f"  {'':34}{plain.title:>18}{ours.title:>18}"
    rule = "  " + "─" * (len(heading) - 2)
    lines = [f"  {row.label:34}{cell(row, plain, ours)}{cell(row, ours, plain)}" for row in ROWS]
    return "\n".join([styled(heading, "1"), styled(rule, "2"), *lines, styled(rule, "2")])


def failures(seen: Seen) -> str:
    failed = seen.tried - seen.completed
    return f"{failed:,} of {seen.tried:,}" if failed else f"none of {seen.tried:,}"


def verdict(plain: Seen, ours: Seen) -> str:
    said = (f"Under the flood {failures(plain)} connections to the plain kernel failed, and {failures(ours)} to "
            f"Vestibule. The 99th percentile of connect() was {in_time(plain.connect_p99)} there, and "
            f"{in_time(ours.connect_p99)} here.")
    worse = [row.label for row in ROWS if row.prefers(plain, ours)]
    if worse:
        said += f" Vestibule did worse than the plain kernel in: {'; '.join(worse)}."
    return said


def busy_share() -> float:
    """Of all CPUs' time, in the half second to come."""
    def times() -> list[int]:
        return [int(word) for word in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]

    before = times()
    time.sleep(0.5)
    passed = [after - earlier for earlier, after in zip(before, times())]
    return 1 - (passed[3] + passed[4]) / max(1, sum(passed))  # idle, and waiting for a disk


def remarks(plain: Seen, ours: Seen, busy: float, plan: Plan) -> Iterator[str]:
    if busy > 0.15:
        yield f"Other work took {busy:.0%} of this machine at the start: the figures are poorer than they could be."
    if min(plain.sent_per_sec, ours.sent_per_sec) < 0.9 * plan.flood:
        yield f"The generator did not reach {plan.flood:,} SYNs per second."
    if not any(row.prefers(ours, plain) for row in ROWS):
        yield "A flood that the plain kernel can bear shows little: try a greater --rate."


def for_programs(seen: Seen) -> dict[str, object]:
    """JSON knows no infinity: null."""
    return {name: None if value == math.inf else value for name, value in dataclasses.asdict(seen).items()}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="One flood, two servers: the plain kernel and Vestibule.")
    parser.add_argument("--rate", type=int, default=600_000, help="SYNs per second (%(default)s)")
    parser.add_argument("--visits", type=int, default=150, help="connections tried per second (%(default)s)")
    parser.add_argument("--seconds", type=int, default=8, help="how long they are tried (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the results for programs, nothing else")
    return parser.parse_args()


def say(text: str, code: str = "") -> None:
    width = min(shutil.get_terminal_size((100, 24)).columns - 1, 100)
    print(*(styled(line, code) if code else line for line in textwrap.wrap(text, width)), sep="\n", flush=True)


def show(plan: Plan) -> None:
    say("One flood, two servers.", "1")
    say(f"nginx on one CPU, {plan.visits} visits a second, and a flood of {plan.flood:,} SYNs a second from random "
        "addresses. First without Vestibule, then with it.")
    print(flush=True)
    busy = busy_share()
    plain, ours = (scene(title, plan, Progress(title)) for title in (PLAIN, VESTIBULE))
    print("" if TERMINAL else "\n", table(plain, ours), "\n", sep="")
    say(verdict(plain, ours))
    for remark in remarks(plain, ours, busy, plan):
        say(remark, "33")


def main() -> None:
    wish = arguments()
    plan = Plan(wish.rate, wish.visits, wish.seconds)
    try:
        if wish.json:
            print(json.dumps([for_programs(scene(title, plan, Silence(title))) for title in (PLAIN, VESTIBULE)]))
        else:
            show(plan)
    except (StageError, OSError) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        print("stopped; nothing is left behind")
        sys.exit(130)


if __name__ == "__main__":
    main()
