#!/usr/bin/python3
"""Connections accepted per second, and how long connecting takes: ./run bench connect [--rounds N] [--family 4|6]

Three hosts, each on the same CPU and over a link of its own, visited in turn:

    plain kernel      nginx
    idle program      nginx behind an XDP program that passes everything: on a veth any has its price
    Vestibule         nginx behind `vestibule run`

In each round first a closed loop of clients, each with a new connection for every page: connections per second. Then
visitors at a steady pace that all hosts bear with ease, from 254 addresses: how long each connect() took. Rounds begin
with another host each time. Compared is within each round, since a machine may be fast now and slow then; of these
ratios the median is told. Clients have a CPU of their own, and receive on it.
A figure never makes this fail; something that did not work does.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import pathlib
import statistics
import sys
from collections.abc import Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from _result import add_options, measuring, publish  # noqa: E402
from _rounds import cpus, in_turn  # noqa: E402
from leftovers import pids_in  # noqa: E402
from process import StageError  # noqa: E402
from stage import Stage  # noqa: E402
from traffic import PORT, connect_times, invite, loop, percentile  # noqa: E402

PLAIN, IDLE, VESTIBULE = HOSTS = ("plain kernel", "idle program", "Vestibule")
RATE = 2_000  # visitors per second
MEASURES = ("rate", "p50", "p99")
GOALS = {"rate": 1.0, "p50": 1.05, "p99": 1.05}  # Vestibule's ratio to the plain kernel: at least; the others at most

SOURCES = {4: ("10.78.0.{}", "10.79.{}.0/24"), 6: ("fd78::{:x}", "fd79:{:x}::/120")}  # in the n-th round


@dataclasses.dataclass(frozen=True)
class Round:
    """Of one host."""

    rate: float  # connections per second
    busy: float  # the host's CPU meanwhile
    p50: float  # of connect(), milliseconds
    p99: float
    client: int  # segments sent again
    server: int


@dataclasses.dataclass
class Host:
    title: str
    stage: Stage
    family: int
    n: int = 0

    def __post_init__(self) -> None:
        client_cpu, host_cpu, _ = cpus()
        self.stage.sysctl("server", "net.core.somaxconn", 4096)
        self.stage.sysctl("client", "net.ipv4.ip_local_port_range", "1024 65535")
        self.stage.own("client", "fd79::/16" if self.family == 6 else "10.79.0.0/16")
        self.stage.pin_receive("client", "eth0", client_cpu, first=True)
        self.stage.pin_receive("server", "eth0", host_cpu, first=True)
        self.stage.pass_frames("client", "eth0")
        # A veth receives on the sender's CPU while that can segment; where there is an XDP program, it cannot.
        self.stage.run("client", ["ethtool", "-K", "eth0", "tso", "off"])
        self.stage.nginx("server", PORT, backlog=4096)
        if self.title == IDLE:
            self.stage.pass_frames("server", "eth0")
        if self.title == VESTIBULE:
            self.stage.vestibule("server", "eth0", "--xdp", "native")
            self.stage.wait_for_service("server", PORT, self.stage.server.address(self.family))
        for pid in pids_in(self.stage.path("server").name):
            os.sched_setaffinity(pid, {host_cpu})

    def round(self, seconds: int) -> Round:
        self.n += 1
        source, sources = (form.format(self.n) for form in SOURCES[self.family])
        client_cpu, host_cpu, _ = cpus()
        before = self.counted()
        idle = idle_seconds(host_cpu)
        looped = loop(self.stage, source, seconds, client_cpu)
        busy = 1 - (idle_seconds(host_cpu) - idle) / looped.seconds
        times = connect_times(invite(self.stage, sources, RATE, seconds, cpu=client_cpu))
        grown = {name: number - before[name] for name, number in self.counted().items()}
        self.check(looped.errors, times, grown)
        return Round(looped.requests / looped.seconds, busy, percentile(times, 50), percentile(times, 99),
                     grown["client"], grown["server"])

    def counted(self) -> dict[str, int]:
        client, server = self.stage.netstat("client"), self.stage.netstat("server")
        admitted = self.stage.counters("server")["admitted"] if self.title == VESTIBULE else 0
        return {"client": client["TcpRetransSegs"], "server": server["TcpRetransSegs"],
                "accepted": server["TcpPassiveOpens"], "admitted": admitted}

    def check(self, errors: str, times: Sequence[float | None], grown: dict[str, int]) -> None:
        failed = times.count(None)
        if errors or failed:
            raise StageError(f"{self.title}: {failed} of {len(times)} visitors had no page; {errors or 'wrk: fine'}")
        # Some of wrk's ports come round within the round, and what is in TIME-WAIT is the stack's.
        if self.title == VESTIBULE and grown["admitted"] < 0.9 * grown["accepted"]:
            raise StageError(f"Vestibule admitted {grown['admitted']} of {grown['accepted']} connections")


def idle_seconds(cpu: int) -> float:
    line = next(line for line in pathlib.Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{cpu} "))
    return int(line.split()[4]) / os.sysconf("SC_CLK_TCK")


def measure(family: int, rounds: int, seconds: int) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = {title: [] for title in HOSTS}
    with contextlib.ExitStack() as stages:
        hosts = {title: Host(title, stages.enter_context(Stage(static_neighbours=True)), family) for title in HOSTS}
        for host in hosts.values():
            host.round(1)  # to warm up
        for n in range(rounds):
            for title in in_turn(HOSTS, n):
                found[title].append(hosts[title].round(seconds))
            print(f"round {n + 1} of {rounds}: " + ", ".join(
                f"{title} {found[title][-1].rate:,.0f}/s" for title in HOSTS), flush=True)
    return found


# --- Telling ----------------------------------------------------------------------------------------------------------

def median(rounds: Sequence[Round], what: str) -> float:
    return statistics.median(getattr(one, what) for one in rounds)


def ratio(found: dict[str, list[Round]], what: str, to: str) -> float:
    """The median of those within each round."""
    return statistics.median(getattr(ours, what) / getattr(theirs, what)
                             for ours, theirs in zip(found[VESTIBULE], found[to]))


def line(title: str, rounds: Sequence[Round]) -> str:
    rates = [one.rate for one in rounds]
    return (f"{title:14}{median(rounds, 'rate'):>9,.0f}{min(rates):>10,.0f} to {max(rates):<7,.0f}"
            f"{median(rounds, 'busy'):>6.0%}{median(rounds, 'p50'):>10.3f}{median(rounds, 'p99'):>8.3f}"
            f"{sum(one.client for one in rounds):>11}{sum(one.server for one in rounds):>7}")


def table(found: dict[str, list[Round]]) -> Iterator[str]:
    yield f"{'':14}{'connections per second':>29}{'its':>7}{'connect, ms':>18}{'sent again by':>18}"
    yield f"{'':14}{'median':>9}{'min to max':>18}{'CPU':>8}{'p50':>10}{'p99':>8}{'clients':>11}{'host':>7}"
    yield from (line(title, rounds) for title, rounds in found.items())


def remarks(found: dict[str, list[Round]]) -> Iterator[str]:
    for to in (PLAIN, IDLE):
        yield f"Vestibule to {to + ':':14}" + ", ".join(f"{what} {ratio(found, what, to):.2f}" for what in MEASURES)
    for what, goal in GOALS.items():
        of = ratio(found, what, PLAIN)
        reached = of >= goal if what == "rate" else of <= goal
        bound = "least" if what == "rate" else "most"
        yield (f"{what}, to the plain kernel: {of:.2f}, the goal is {goal:g} at {bound}: "
               f"{'reached' if reached else 'not reached'}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Connections accepted per second, and how long connecting takes.")
    parser.add_argument("--rounds", type=int, default=15, help="(%(default)s)")
    parser.add_argument("--seconds", type=int, default=1, help="for each half of each round (%(default)s)")
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    wish = arguments()
    with measuring("connect"):
        found = measure(wish.family, wish.rounds, wish.seconds)
    title = (f"Short connections over IPv{wish.family}, {wish.rounds} rounds of {wish.seconds} s in a closed loop and "
             f"{wish.seconds} s of\n{RATE:,} visitors per second")
    publish("connect", [title, "", *table(found), "", *remarks(found)], found, wish)


if __name__ == "__main__":
    main()
