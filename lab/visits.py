"""The same visits of three kinds of host, each behind an impaired link of its own with the same seed.

        client                                   server
        vestibule-visitors, from one address     nginx; or, where the server is to speak first, banner.py
        and a port of its own for each visit     behind: the plain kernel, the kernel's cookies, Vestibule

Address, port and seed decide which segments of a visit are lost (fates.hpp), so all three hosts meet the same losses.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import signal
import sys
import typing
from collections.abc import Sequence

from network import Impairment
from process import Process, tool
from stage import Stage

PORT = 80
FIRST_PORT = 10_000  # of the visitors: below those that a kernel chooses, and rehearsals use

PLAIN, COOKIES, VESTIBULE = "plain kernel", "kernel cookies", "Vestibule"
HOSTS = (PLAIN, COOKIES, VESTIBULE)


@dataclasses.dataclass(frozen=True)
class Wish:
    visits: int
    rate: float  # visits begun per second
    patience: float  # seconds
    family: int = 4
    server_first: bool = False


@dataclasses.dataclass(frozen=True)
class Findings:
    connect: list[float | None]  # seconds of each visit; None: did not connect, or was not completed
    complete: list[float | None]
    client: dict[str, int]  # what the stack counted meanwhile
    server: dict[str, int]
    link: dict[str, typing.Any]  # what lab/link.cpp says of itself; forth is to the server
    admitted: int  # by Vestibule


class Visited:
    """One host, and its visitors."""

    def __init__(self, stage: Stage, host: str, wish: Wish) -> None:
        self.stage = stage
        self.wish = wish
        self._serve()
        self.adaptor: Process | None = self._adapt() if host == VESTIBULE else None
        if host == COOKIES:
            stage.sysctl("server", "net.ipv4.tcp_syncookies", 2)  # always, as if there were a flood

    def begin(self) -> None:
        self.before = self.stage.netstat("client"), self.stage.netstat("server")
        self.visitors = self._invite()

    def _serve(self) -> None:
        if self.wish.server_first:
            self.stage.spawn("server", [sys.executable, pathlib.Path(__file__).with_name("banner.py"), PORT])
            self.stage.wait_until_listening("server", PORT)
        else:
            self.stage.nginx("server", PORT)

    def _adapt(self) -> Process:
        adaptor = self.stage.vestibule("server", "eth0")
        self.stage.wait_for_service("server", PORT, self.stage.server.address(self.wish.family))
        return adaptor

    def _invite(self) -> Process:
        wish, stage = self.wish, self.stage
        return stage.spawn("client", [
            tool("lab/vestibule-visitors"), "--server", stage.server.address(wish.family), "--port", PORT,
            "--sources", stage.client.address(wish.family), "--first-port", FIRST_PORT, "--rate", wish.rate,
            "--seconds", wish.visits / wish.rate, "--patience", wish.patience,
            *(["--silent"] if wish.server_first else []),
        ])

    def findings(self) -> Findings:
        """When the last visit is over."""
        told = self.visitors.json(self.wish.visits / self.wish.rate + 2 * self.wish.patience)
        client, server = (growth(self.stage.netstat(ns), before)
                          for ns, before in zip(("client", "server"), self.before))
        admitted = self.stage.counters("server")["admitted"] if self.adaptor else 0
        return Findings(told["connect_seconds"], told["complete_seconds"], client, server, self._link(), admitted)

    def _link(self) -> dict[str, typing.Any]:
        link = self.stage.impaired_link
        assert link
        link.stop()
        if self.adaptor:
            self.adaptor.signal(signal.SIGKILL)  # its farewell takes seconds
        return link.json()


def growth(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {name: value - before.get(name, 0) for name, value in after.items()}


def visit(links: Sequence[Impairment], wish: Wish, hosts: Sequence[str] = HOSTS) -> list[dict[str, Findings]]:
    """All hosts behind all links at the same time: whatever else this machine does, it does to all of them."""
    with contextlib.ExitStack() as stages:
        visited = [{host: Visited(stages.enter_context(Stage(static_neighbours=True, impairment=by)), host, wish)
                    for host in hosts} for by in links]
        for behind_one_link in visited:
            for one in behind_one_link.values():
                one.begin()
        return [{host: one.findings() for host, one in behind_one_link.items()} for behind_one_link in visited]
