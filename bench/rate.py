#!/usr/bin/python3
"""SYNs answered per second by one CPU: ./run bench rate [--rounds N] [--seconds N] [--family 4|6] [--record]

Three hosts, flooded in turn and as fast as the generator can, each on the same CPU and over a link of its own:

    bare XDP_TX       a program that swaps the link addresses of SYNs and sends them back: the least an answer can cost
    Vestibule         nginx behind `vestibule run`, with every check on
    kernel cookies    nginx behind the plain kernel, net.ipv4.tcp_syncookies=1

Each counts for itself what it answered; the kernel says how long its CPU worked for that. So a host that is done before
the generator is (the bare program may be) has its due: a rate is that of a CPU at work all the time. Rounds are interleaved
and begin with another host each time; the medians are compared. The generator has a CPU of its own, and so has, where there
are three, the far end that the answers go to.
A figure never makes this fail; something that did not work does.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import pathlib
import statistics
import sys
import typing
from collections.abc import Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from _result import add_options, measuring, publish  # noqa: E402
from _rounds import cpus, in_turn  # noqa: E402
from process import StageError  # noqa: E402
from stage import Stage  # noqa: E402

PORT = 80
GOALS = {"bare": 0.65, "kernel": 7.0}  # Vestibule's ratio to them, at least


@dataclasses.dataclass(frozen=True)
class Burst:
    """One flood of one host."""

    answered: int
    sent: int
    dropped: int  # by the queue, which was full
    seconds: float
    working: float  # seconds that the host's CPU received and answered

    @property
    def rate(self) -> float:
        return self.answered / self.working


class Host:
    """A host that answers SYNs in one way."""

    title: str

    def __init__(self, stage: Stage, family: int) -> None:
        self.stage = stage
        self.family = family

    def counted(self) -> int:
        raise NotImplementedError

    def burst(self, seconds: float) -> Burst:
        before = self.counted()
        flood = self.flood(seconds)
        return self.burst_of(flood, self.counted() - before)

    def flood(self, seconds: float) -> dict[str, float]:
        before = self.stage.receiving_seconds("server", "eth0")
        flood = self.stage.flood("--seconds", seconds, port=PORT, family=self.family, cpu=cpus()[0]).json()
        return {**flood, "working": self.stage.receiving_seconds("server", "eth0") - before}

    @staticmethod
    def burst_of(flood: dict[str, float], answered: int) -> Burst:
        return Burst(answered, int(flood["sent"]), int(flood["dropped"]), flood["seconds"], flood["working"])


class Bare(Host):
    title = "bare XDP_TX"

    def burst(self, seconds: float) -> Burst:
        program = self.stage.return_frames("server", "eth0")  # which says how many only when it is stopped
        flood = self.flood(seconds)
        program.stop()
        return self.burst_of(flood, int(program.json()["returned"]))


class Vestibule(Host):
    title = "Vestibule"

    def __init__(self, stage: Stage, family: int) -> None:
        super().__init__(stage, family)
        stage.nginx("server", PORT)
        stage.vestibule("server", "eth0", "--xdp", "native")
        stage.wait_for_service("server", PORT, stage.server.address(family))

    def counted(self) -> int:
        status = typing.cast("dict[str, typing.Any]", self.stage.status("server"))
        if (mode := status["interfaces"][0]["xdp_mode"]) != "native":
            raise StageError(f"Vestibule runs in {mode} mode")
        return int(status["counters"]["syn_answered"])


class Kernel(Host):
    title = "kernel cookies"

    def __init__(self, stage: Stage, family: int) -> None:
        super().__init__(stage, family)
        stage.nginx("server", PORT)

    def counted(self) -> int:
        return self.stage.netstat("server").get("TcpExtSyncookiesSent", 0)


KINDS: dict[str, type[Host]] = {"bare": Bare, "vestibule": Vestibule, "kernel": Kernel}


@contextlib.contextmanager
def all_hosts(family: int) -> Iterator[dict[str, Host]]:
    _, host_cpu, far_cpu = cpus()
    with contextlib.ExitStack() as stages:
        hosts = {}
        for name, kind in KINDS.items():
            stage = stages.enter_context(Stage(static_neighbours=True))
            stage.pin_receive("server", "eth0", host_cpu, first=True)
            stage.pin_receive("client", "eth0", far_cpu, first=True)
            stage.sink_frames("client", "eth0")
            hosts[name] = kind(stage, family)
        yield hosts


def check(host: Host, burst: Burst) -> None:
    delivered = burst.sent - burst.dropped
    if burst.sent == 0 or burst.answered < 0.5 * delivered:
        raise StageError(f"{host.title} answered {burst.answered:,} of {delivered:,} SYNs: something does not work")


def measure(family: int, rounds: int, seconds: float) -> dict[str, list[Burst]]:
    names = list(KINDS)
    found: dict[str, list[Burst]] = {name: [] for name in names}
    with all_hosts(family) as hosts:
        for host in hosts.values():
            host.burst(0.3)  # to warm up
        for n in range(rounds):
            for name in in_turn(names, n):
                burst = hosts[name].burst(seconds)
                check(hosts[name], burst)
                found[name].append(burst)
            print(f"round {n + 1} of {rounds}: " + ", ".join(
                f"{hosts[name].title} {found[name][-1].rate / 1e6:.2f} M/s" for name in names), flush=True)
    return found


# --- Telling ----------------------------------------------------------------------------------------------------------

def median(bursts: Sequence[Burst]) -> float:
    return statistics.median(burst.rate for burst in bursts)


def line(title: str, bursts: Sequence[Burst], ours: float) -> str:
    rates = [burst.rate for burst in bursts]
    offered = statistics.median(burst.sent / burst.seconds for burst in bursts)
    working = statistics.median(burst.working / burst.seconds for burst in bursts)
    return (f"{title:16}{median(bursts) / 1e6:>10.2f} M/s{min(rates) / 1e6:>9.2f} to {max(rates) / 1e6:.2f}"
            f"{1e9 / median(bursts):>10.0f} ns{offered / 1e6:>12.2f} M/s{working:>9.0%}{ours / median(bursts):>14.2f}")


def table(found: dict[str, list[Burst]]) -> list[str]:
    ours = median(found["vestibule"])
    heading = f"{'':16}{'median':>14}{'min to max':>17}{'each':>13}{'offered':>16}{'at work':>9}{'Vestibule to':>14}"
    return [heading, *(line(KINDS[name].title, bursts, ours) for name, bursts in found.items())]


def remarks(found: dict[str, list[Burst]]) -> Iterator[str]:
    ours = median(found["vestibule"])
    for name, goal in GOALS.items():
        ratio = ours / median(found[name])
        yield (f"Vestibule to {KINDS[name].title}: {ratio:.2f}, the goal is {goal:g}: "
               f"{'reached' if ratio >= goal else 'not reached'}")
    for name, bursts in found.items():
        if statistics.median(burst.working / burst.seconds for burst in bursts) < 0.9:
            yield f"{KINDS[name].title} kept up with the generator; its rate is that of the time in which it worked."


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="SYNs answered per second by one CPU.")
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--seconds", type=float, default=2, help="for each flood (%(default)s)")
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    wish = arguments()
    with measuring("rate"):
        found = measure(wish.family, wish.rounds, wish.seconds)
    title = f"SYNs answered per second by one CPU, IPv{wish.family}, {wish.rounds} rounds of {wish.seconds:g} s"
    publish("rate", [title, "", *table(found), "", *remarks(found)], found, wish)


if __name__ == "__main__":
    main()
