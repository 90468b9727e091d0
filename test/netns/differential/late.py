#!/usr/bin/python3
"""An ACK that comes late. No test waits for that. What tells the adaptor how late it is, is made to tell so: the wall
clock by which its keys are replaced is set ahead, and the timestamp that the peer echoes is so much older. The plain
kernel keeps a half-open connection for 1 + 2 + 4 + 8 + 16 + 32 s, and until then does not ask how late an ACK is: there
it comes at once. Where it is to come after that, the kernel has to give up after the first second already
(tcp_synack_retries). Waited for, once and on Linux 6.18, an ACK was taken after 59 and 62 s by the plain kernel, and
reset after 64 s; behind the adaptor, without timestamps it was taken after all of these, with them after 59 s alone."""

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
from scripts import tail  # noqa: E402
from variants import VARIANTS  # noqa: E402

PORT = 7000
EPOCH = 64  # seconds
NOTICED = 0.25  # seconds; by then the adaptor has the keys of the new time
SYNACK_RETRIES = "net.ipv4.tcp_synack_retries"
KEPT_BY_THE_KERNEL = 63  # seconds, with five of these; with none, one
GIVEN_UP = 1.3  # seconds; by then the timer of that one second has gone off
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
            self.scene.sysctl("plain", SYNACK_RETRIES, 0 if seconds >= KEPT_BY_THE_KERNEL else 5)
            time.sleep(NOTICED)
            for case, (plain, ours) in self.tried(seconds, begun).items():
                report.add(case, plain.fields, ours.fields)
        settle(report, __file__, self.record)

    def tried(self, seconds: int, begun: str) -> dict[Case, list[Conversation]]:
        talks = {}
        for variant in VARIANTS:
            scripts = late_for_the_kernel(seconds), self.late(seconds, 0 if talks else seconds)
            case = Case(f"late ACK, {variant.clock}", f"{seconds} s, {begun}, {variant}")
            talks[case] = self.conversations(scripts, *variant)
        converse(list(itertools.chain(*talks.values())))
        return talks

    def conversations(self, scripts: tuple[Script, Script], family: int, stamped: bool) -> list[Conversation]:
        """The same peer, once for each host."""
        number = next(self.numbers)
        address = f"fd90::1:{number:x}" if family == 6 else f"10.90.{number >> 8}.{number & 255}"
        host = self.scene.server.address(family)
        peers = [Peer(address, host, PORT, 1024 + number, number, stamped) for _ in scripts]
        return [Conversation(*each) for each in zip(self.servers, peers, scripts)]

    def late(self, seconds: int, to_advance: int) -> Script:
        """One of all peers sets the clock ahead."""
        def script(p: Peer) -> Steps:
            yield "SYN", p.syn()
            answered = time.monotonic()
            self.clock.advance(to_advance)
            yield "later", NOTICED
            p.stamp -= round(1000 * (seconds - (time.monotonic() - answered)))
            yield "ACK", p.ack()
            yield from tail(p)
        return script


def late_for_the_kernel(seconds: int) -> Script:
    def script(p: Peer) -> Steps:
        yield "SYN", p.syn()
        yield "later", GIVEN_UP if seconds >= KEPT_BY_THE_KERNEL else NOTICED
        yield "ACK", p.ack()
        yield from tail(p)
    return script


if __name__ == "__main__":
    Late.record = recording()
    main()
