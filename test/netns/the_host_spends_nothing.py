#!/usr/bin/python3
"""Second sentence: the host spends nothing on a connection before its handshake completes. 100,000 SYNs that nobody
completes: the adaptor answers them all, and the host's stack holds no more than before. The plain kernel, in the same
scene, shows that this measurement can fail."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import resource
import time
import unittest
from collections.abc import Callable

from scene import Scene, main

PORT = 80
SYNS = 100_000
SENT = SYNS * 11 // 10  # some of which a queue may lose

# Each CPU keeps back what it tells of: memory by the MiB (SK_MEMORY_PCPU_RESERVE), objects by the slab, of four kinds.
CPUS = os.cpu_count() or 1
SLACK_PAGES = CPUS * (1 << 20) // resource.getpagesize()
SLACK_OBJECTS = CPUS * 4 * 16


@dataclasses.dataclass
class Holdings:
    """What a host holds for TCP. All but the first are sums over all namespaces of the machine, which should be at
    rest; what is compared is the most of several readings before, and the least of several afterwards."""

    half_open: int  # connections, by the kernel's list
    pages: int  # sockstat: TCP mem
    sockets: int  # sockstat: TCP alloc
    slab_objects: int  # of sockets and request sockets


def slab_objects() -> int:
    names = re.compile(r"^(?:request_sock_TCP|request_sock_TCPv6|TCP|TCPv6) +(\d+) ", re.MULTILINE)
    found = names.findall(pathlib.Path("/proc/slabinfo").read_text())
    if not found:
        raise AssertionError("this kernel shows no slabs of TCP: the measurement would measure nothing")
    return sum(map(int, found))


def holdings(scene: Scene) -> Holdings:
    sockstat = scene.run("server", ["cat", "/proc/net/sockstat"]).stdout
    allocated, pages = map(int, re.search(r"^TCP: .* alloc (\d+) mem (\d+)", sockstat, re.MULTILINE).groups())
    half_open = scene.run("server", ["ss", "-Htan", "state", "syn-recv"]).stdout.count("\n")
    return Holdings(half_open, pages, allocated, slab_objects())


def several_holdings(scene: Scene, choose: Callable[..., int]) -> Holdings:
    """Of each number the one to choose, `min` or `max`, among readings of half a second."""
    readings = []
    for _ in range(5):
        readings.append(dataclasses.astuple(holdings(scene)))
        time.sleep(0.1)
    return Holdings(*map(choose, *readings))


def knock(scene: Scene, family: int, *options: object) -> int:
    """SYNs from peers that will not answer; how many reached the host."""
    told = scene.flood("--count", SENT, *options, port=PORT, family=family).json()
    return int(told["sent"]) - int(told["dropped"])


class TheHostSpendsNothing(unittest.TestCase):
    def setUp(self) -> None:
        self.scene = self.enterContext(Scene())
        self.scene.sysctl("server", {"net.core.somaxconn": 2 * SYNS, "net.ipv4.tcp_max_syn_backlog": 2 * SYNS})
        self.addCleanup(self.scene.listen(PORT, 6, backlog=2 * SYNS).close)

    def before_and_after(self, family: int, *options: object) -> tuple[Holdings, Holdings, int]:
        before = several_holdings(self.scene, max)
        came = knock(self.scene, family, *options)
        after = several_holdings(self.scene, min)
        print(f"{came} SYNs\n  before {before}\n  after  {after}")
        return before, after, came

    def spends_nothing(self, family: int) -> None:
        self.scene.adapt()
        self.scene.wait_until_served(PORT)
        with self.scene.growth() as grown, self.scene.protocol_growth("server") as stack:
            before, after, came = self.before_and_after(family, "--rate", 200_000)  # more, and a veth's queue overflows
        self.assertGreaterEqual(came, SYNS)
        self.assertGreaterEqual(grown["syn_answered"], came)
        self.assertEqual((grown["admitted"], stack["TcpExtSyncookiesSent"]), (0, 0))
        self.assertEqual(after.half_open, 0)
        self.assertLessEqual(after.pages, before.pages + SLACK_PAGES)
        self.assertLessEqual(after.sockets, before.sockets)
        self.assertLessEqual(after.slab_objects, before.slab_objects + SLACK_OBJECTS)

    def test_the_host_spends_nothing_v4(self) -> None:
        self.spends_nothing(4)

    def test_the_host_spends_nothing_v6(self) -> None:
        self.spends_nothing(6)

    def test_the_plain_kernel_spends_and_the_measurement_shows_it(self) -> None:
        before, after, came = self.before_and_after(4, "--rate", 60_000)  # more than that, and it loses most of them
        self.assertGreater(after.half_open, came // 10)
        self.assertGreater(after.slab_objects, before.slab_objects + came // 10)


if __name__ == "__main__":
    main()
