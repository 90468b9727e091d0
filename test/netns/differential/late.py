#!/usr/bin/python3
"""An ACK that comes late, from a peer without timestamps: nothing but the key of its cookie tells how late it is. The
plain kernel keeps the half-open connection for 63 s; a key lives until the epoch after its own is over. No test waits
for that: the adaptor's wall clock is set ahead."""

from __future__ import annotations

import itertools
import math
import pathlib
import sys
import tempfile
import time
import typing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from accepted_oddities import LATE as ACCEPTED  # noqa: E402
from conversation import Conversation, Peer, Script, Server, Steps, beside, calm, converse  # noqa: E402
from report import Case, Report, recording, settle  # noqa: E402
from scene import SceneTest, main, tool  # noqa: E402
from scripts import late_for_the_kernel, tail  # noqa: E402

PORT = 7000
EPOCH = 64  # seconds
NOTICED = 0.25  # seconds; by then the adaptor has the keys of the new time
BEGUN = {"the epoch has begun": 1, "the epoch is nearly over": EPOCH - 3}
SECONDS = (1, 10, 30, 59, 62, 70, 120, 130, 3600)


class WallClock:
    """That of a process of the tests'; it never goes back."""

    def __init__(self) -> None:
        self._file = tempfile.NamedTemporaryFile("w", prefix="vestibule-wall-clock-")
        self._ahead = 0

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": tool("lab/libvestibule-lab-wall-clock.so"), "VESTIBULE_WALL_CLOCK": self._file.name}

    def advance(self, seconds: int) -> None:
        self._ahead += seconds
        self._file.seek(0)
        self._file.write(f"{self._ahead:<12}")
        self._file.flush()

    def advance_into_epoch(self, seconds: int) -> None:
        """To so many seconds, or up to one more, after the beginning of another epoch."""
        now = math.floor(time.time()) + self._ahead
        self.advance(EPOCH - now % EPOCH + seconds)

    def close(self) -> None:
        self._file.close()


class Late(SceneTest):
    record: typing.ClassVar[bool] = False

    @classmethod
    def arrange(cls) -> None:
        cls.clock = WallClock()
        cls.addClassCleanup(cls.clock.close)
        cls.servers = beside(cls.scene, "plain", "eth1"), Server(cls.scene, "server")
        for server in cls.servers:
            cls.addClassCleanup(server.close)
            calm(cls.scene, server.ns)
            server.listen(PORT)
        cls.scene.adapt("--key-rotation", EPOCH, env=cls.clock.environment)
        cls.scene.wait_until_served(PORT)
        cls.numbers = itertools.count(1)

    def test_every_time_of_an_epoch(self) -> None:
        report = Report((), ACCEPTED)
        for (begun, into), seconds in itertools.product(BEGUN.items(), SECONDS):
            self.clock.advance_into_epoch(into)
            time.sleep(NOTICED)
            talks = {Case("late ACK, no timestamps", f"{seconds} s, {begun}, IPv{family}"):
                     self.conversations(seconds, family) for family in (4, 6)}
            converse(list(itertools.chain(*talks.values())))
            for case, (plain, ours) in talks.items():
                report.add(case, plain.fields, ours.fields)
        settle(report, __file__, self.record)

    def conversations(self, seconds: int, family: int) -> list[Conversation]:
        """The same peer, once for each host."""
        number = next(self.numbers)
        address = f"fd90::1:{number:x}" if family == 6 else f"10.90.{number >> 8}.{number & 255}"
        scripts = late_for_the_kernel(seconds), self.late(seconds if family == 4 else 0)
        peers = [Peer(address, self.scene.server.address(family), PORT, 1024 + number, number, False) for _ in scripts]
        return [Conversation(*each) for each in zip(self.servers, peers, scripts)]

    def late(self, seconds: int) -> Script:
        def script(p: Peer) -> Steps:
            yield "SYN", p.syn()
            self.clock.advance(seconds)
            yield "later", NOTICED
            yield "ACK", p.ack()
            yield from tail(p)
        return script


if __name__ == "__main__":
    Late.record = recording()
    main()
