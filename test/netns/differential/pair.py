"""Two stages side by side, alike but for the adaptor, and the same set-ups on both.

        client   plain    server                 client    ours    server
       +-------+        +--------+              +-------+        +--------+
       | peers |--------| kernel |              | peers |--------| kernel |
       +-------+        +--------+              +-------+        |   adaptor on eth0
"""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import itertools
import pathlib
import socket
import sys
import typing
import unittest
from collections.abc import Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import congestion  # noqa: E402
import sysctls  # noqa: E402
from asking import AT_ONCE, FAR, Interview, Question  # noqa: E402
from listeners import HOUSE, LEFT, SERVED, Host, Listener  # noqa: E402
from report import Report, recording  # noqa: E402
from scene import Scene, StageError, main, until  # noqa: E402
from syns import Shape, named  # noqa: E402

FIRST_PORT = 7000


@dataclasses.dataclass(frozen=True)
class Setting:
    """One listener on one host, open on both stages, and what the adaptor is to do with it."""

    host: Host
    listener: Listener
    port: int
    sockets: tuple[list[socket.socket], ...]  # the plain stage's, then ours

    @property
    def state(self) -> str:
        return LEFT if LEFT in (self.host.state, self.listener.state) else SERVED

    @property
    def is_usual(self) -> bool:
        return self.host.name == self.listener.name == "default"

    @property
    def at_once(self) -> int:
        """How many SYNs the plain kernel's queue bears."""
        return 1 if self.host.short_queue or self.listener.backlog < AT_ONCE else AT_ONCE

    def group(self, family: int) -> str:
        names = [each.name for each in (self.host, self.listener) if each.name != "default"] or ["default"]
        return ", ".join((*names, f"IPv{family}"))

    def answerer(self, shape: Shape) -> str:
        """Who is to answer such a SYN."""
        passed = ("*",) if self.state == LEFT else (*self.host.stack_has, *self.listener.stack_has)
        return "stack" if any(fnmatch.fnmatchcase(shape.name, each) for each in passed) else shape.answerer

    def questions(self, family: int, shapes: Sequence[Shape]) -> list[Question]:
        return [Question(shape, FAR[family], self.target(family), self.port) for shape in shapes]

    def target(self, family: int) -> str:
        """An address of the server, of either stage."""
        return self.host.targets[family == 6]


class PairTest(unittest.TestCase):
    """Tests of one file, with one report. The last thing they do is to settle it."""

    kinds: typing.ClassVar[tuple[str, ...]] = ("adaptor", "stack", "nobody")
    scenes: typing.ClassVar[tuple[Scene, Scene]]  # plain, ours
    interviews: typing.ClassVar[tuple[Interview, Interview]]
    report: typing.ClassVar[Report]
    record: typing.ClassVar[bool] = False

    @classmethod
    def setUpClass(cls) -> None:
        cls.enterClassContext(congestion.registered())
        cls.scenes = plain, ours = cls.enterClassContext(Scene()), cls.enterClassContext(Scene())
        for end in ("client", "server"):
            plain.pass_frames(end, "eth0")  # the same way through the link
        for scene in cls.scenes:
            sysctls.write(scene, "server", HOUSE)
        ours.adapt()
        cls.interviews = Interview(plain), Interview(ours)
        for interview in cls.interviews:
            cls.addClassCleanup(interview.close)
        cls.report = Report(cls.kinds)
        cls.ports = itertools.count(FIRST_PORT)

    def settings(self, hosts: Sequence[Host]) -> Iterator[Setting]:
        for host in hosts:
            if host.is_missing(self.scenes[0]):
                self.report.skip(host.name, f"this kernel lacks {host.wants}")
                continue
            with host.on(self.scenes), contextlib.ExitStack() as stack:
                yield from self._open(host, stack)

    def _open(self, host: Host, stack: contextlib.ExitStack) -> Iterator[Setting]:
        """All listeners at once, each at a port of its own, opened when the host was so: their answers are fresh."""
        opened = []
        for listener in host.listeners:
            if listener.congestion_control and not congestion.is_there(listener.congestion_control):
                self.report.skip(f"{host.name}, {listener.name}", "this kernel lacks it")
                continue
            port = next(self.ports)
            sockets = tuple(listener.open(scene, port) for scene in self.scenes)
            for each in itertools.chain(*sockets):
                stack.enter_context(each)
            opened.append(Setting(host, listener, port, sockets))
        for setting in opened:
            self.scenes[1].wait_for_state(setting.state, setting.port, setting.listener.families)
            for family in setting.listener.families:
                self._introduce(setting, family)
            yield setting

    def _introduce(self, setting: Setting, family: int) -> None:
        """Of an address that no interface has, the adaptor learns by a SYN for it."""
        ours, target = self.scenes[1], setting.target(family)
        if target == ours.server.address(family):
            return

        def settled() -> bool:
            ends = typing.cast(list[dict[str, object]], ours.status("server")["endpoints"])
            return any((e["address"], e["port"], e["state"]) == (target, setting.port, setting.state) for e in ends)

        self.interviews[1].ask(setting.questions(family, named("Linux")))
        if not until(settled, 5):
            raise StageError(f"{target}, port {setting.port}, is not {setting.state}")


def run(test: type[PairTest]) -> None:
    test.record = recording()
    main()
