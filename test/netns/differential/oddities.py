#!/usr/bin/python3
"""What follows a SYN and is not quite in order goes as with the plain kernel: what comes back to the peer, and what the
application sees. Each script of scripts.py is gone through with three hosts side by side: the plain kernel, one behind
the adaptor, and a kernel that makes SYN cookies of its own (tcp_syncookies=2), to tell what any host would do
differently that keeps nothing of a SYN."""

from __future__ import annotations

import itertools
import pathlib
import re
import socket
import sys
import typing
from collections.abc import Iterator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from accepted_oddities import COOKIES  # noqa: E402
from accepted_oddities import ODDITIES as ACCEPTED  # noqa: E402
from conversation import Conversation, Peer, Server, beside, calm, converse  # noqa: E402
from report import Case, Report, recording, settle  # noqa: E402
from scene import SceneTest, main  # noqa: E402
from scripts import DEFERRED, ODDITIES, RECEIVE_WINDOW, Oddity  # noqa: E402
from variants import VARIANTS  # noqa: E402

PORT, DEFERRING_PORT = 7000, 7001

# With data on the ACK, the window grows by two segments or does not, with either kernel. What a segment takes of memory
# decides that, and the driver cuts its pages into pieces of several sizes. In so many attempts, every host has seen
# both.
WINDOW_ATTEMPTS = 12

AS_COOKIES, WORSE = "as its cookies", "worse than they"

Fields = dict[str, object]


class Oddities(SceneTest):
    record: typing.ClassVar[bool] = False

    @classmethod
    def arrange(cls) -> None:
        cls.servers = (beside(cls.scene, "plain", "eth1"), Server(cls.scene, "server"),
                       beside(cls.scene, "cookies", "eth2"))
        for server in cls.servers:
            cls.addClassCleanup(server.close)
            calm(cls.scene, server.ns)
            server.listen(PORT)
            server.listen(DEFERRING_PORT, lambda made: made.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30))
        cls.scene.sysctl("cookies", "net.ipv4.tcp_syncookies", 2)
        cls.scene.adapt("--key-rotation", 600)
        for port in (PORT, DEFERRING_PORT):
            cls.scene.wait_until_served(port)
        cls.numbers = itertools.count(1)

    def test_every_oddity(self) -> None:
        report, false = Report((AS_COOKIES, WORSE), ACCEPTED), []
        with self.scene.growth() as grown:
            for group, oddities in itertools.groupby(ODDITIES, lambda each: each.group):
                for case, plain, ours, cookies in self.tried(group, list(oddities)):
                    report.add(case, plain, ours, kind_of(plain, ours, cookies))
                    false += false_claims(case, plain, ours, cookies)
        print({name: number for name, number in grown.items() if number}, file=sys.stderr)
        self.assertGreater(grown["admitted"], 3 * len(ODDITIES), "the adaptor has hardly been met")
        self.assertEqual([], false, "it is not so with the kernel's own cookies")
        settle(report, __file__, self.record)

    def tried(self, group: str, oddities: list[Oddity]) -> Iterator[tuple[Case, Fields, Fields, Fields]]:
        """What became of them at each host."""
        talks: dict[Case, list[list[Conversation]]] = {}
        for oddity, variant in itertools.product(oddities, VARIANTS):
            attempts = WINDOW_ATTEMPTS if group == RECEIVE_WINDOW else 1
            case = Case(group, f"{oddity.name}, {variant}")
            talks[case] = [self.conversations(oddity, *variant) for _ in range(attempts)]
        converse([each for attempts in talks.values() for hosts in attempts for each in hosts])
        for case, attempts in talks.items():
            yield case, *nearest([[each.fields for each in hosts] for hosts in attempts])

    def conversations(self, oddity: Oddity, family: int, stamped: bool) -> list[Conversation]:
        """The same peer, once for each host."""
        number = next(self.numbers)
        address = f"fd90::1:{number:x}" if family == 6 else f"10.90.{number >> 8}.{number & 255}"
        isn = number * 2654435761 % 2**32
        port = DEFERRING_PORT if oddity.group == DEFERRED else PORT
        peers = [Peer(address, self.scene.server.address(family), port, 1024 + number, isn, stamped)
                 for _ in self.servers]
        return [Conversation(*each, oddity.script, oddity.group == RECEIVE_WINDOW)
                for each in zip(self.servers, peers)]


def nearest(attempts: list[list[Fields]]) -> tuple[Fields, ...]:
    """Of each host one attempt, so that their windows are least apart."""
    def apart(found: tuple[Fields, ...]) -> tuple[int, int]:
        plain, ours, cookies = found
        return distance(plain, ours), distance(ours, cookies)

    return min(itertools.product(*zip(*attempts)), key=apart)


def distance(one: Fields, other: Fields) -> int:
    pairs = [(mine, theirs) for field, found in one.items() if field.endswith(": windows")
             for mine, theirs in zip(typing.cast(tuple[int, ...], found), typing.cast(tuple[int, ...], other[field]))]
    return sum(abs(mine - theirs) for mine, theirs in pairs)


def kind_of(plain: Fields, ours: Fields, cookies: Fields) -> str | None:
    """Worse than the kernel's cookies is a connection that is refused where both kernels grant it, or a reset where
    neither sends one."""
    if is_as_cookies(plain, ours, cookies):
        return AS_COOKIES
    refused = connects(plain) and connects(cookies) and not connects(ours)
    reset = resets(ours) and not resets(plain) and not resets(cookies)
    return WORSE if refused or reset else None


def connects(fields: Fields) -> bool:
    return any(isinstance(each, dict) for found in fields.values() if isinstance(found, tuple) for each in found)


def resets(fields: Fields) -> bool:
    return any(str(each).startswith("R") for found in fields.values() if isinstance(found, tuple) for each in found)


def is_as_cookies(plain: Fields, ours: Fields, cookies: Fields) -> bool:
    """Whether there is a difference, and every one is the kernel's own too when it makes cookies."""
    fields = different(plain, ours)
    return bool(fields) and all(essence(ours.get(field)) == essence(cookies.get(field)) for field in fields)


def different(plain: Fields, ours: Fields) -> list[str]:
    return [field for field in {**plain, **ours} if plain.get(field) != ours.get(field)]


def false_claims(case: Case, plain: Fields, ours: Fields, cookies: Fields) -> list[str]:
    """Of reasons that say it was so with the kernel's own cookies."""
    return [f"{case}: {field}: ours {ours.get(field)!r}, cookies {cookies.get(field)!r}"
            for field in different(plain, ours) if essence(ours.get(field)) != essence(cookies.get(field))
            and any(each.reason.endswith(COOKIES) and each.covers(case.group, case.name, field, plain, ours)
                    for each in ACCEPTED)]


def essence(found: object) -> object:
    """Without the options, of which the kernel's cookies lose some, and without regard to which ISN is meant: when a
    minute is over, the kernel has another for the same SYN."""
    if isinstance(found, str):
        words = re.sub(r" of SYN-ACK \d", "", found).split(", ")
        return words[:3] + [each for each in words if "clock" in each]
    if isinstance(found, dict):
        return found["state"], found["read"]
    return [essence(each) for each in found] if isinstance(found, tuple) else found


if __name__ == "__main__":
    Oddities.record = recording()
    main()
