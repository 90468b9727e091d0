"""One instance, and what it leaves behind."""

from __future__ import annotations

import pathlib
import signal
import time
import unittest

from scene import Acceptor, Scene, echo_once, receive_exactly

PORT = 7000
FAREWELL = 3.5  # seconds: three, and what detaching takes


def left_behind(scene: Scene, ns: str = "server") -> list[object]:
    """Programs, pins, files and packet filter tables of an instance of that namespace."""
    inode = scene.path(ns).stat().st_ino
    places = (pathlib.Path("/sys/fs/bpf/vestibule"), pathlib.Path("/run/vestibule"))
    tables = [line for line in scene.run(ns, ["nft", "list", "tables"]).stdout.splitlines() if "vestibule" in line]
    return [*scene.attached(ns), *(file for place in places for file in place.glob(f"{inode}-*")), *tables]


class InstanceTest(unittest.TestCase):
    def setUp(self) -> None:
        self.scene = self.enterContext(Scene())

    def listen(self, ns: str = "server") -> Acceptor:
        acceptor = Acceptor(self.scene.listen(PORT, 6, ns=ns), echo_once)
        self.addCleanup(acceptor.close)
        return acceptor

    def echo(self, family: int = 4) -> None:
        with self.scene.connect(PORT, family) as connection:
            connection.sendall(b"hello")
            self.assertEqual(receive_exactly(connection, 5), b"hello")

    def ends(self, number: signal.Signals, within: float) -> None:
        adaptor = self.scene.adaptor
        assert adaptor is not None
        self.assertNotEqual(left_behind(self.scene), [])
        started = time.monotonic()
        adaptor.signal(number)
        self.assertEqual(adaptor.wait(10), 0)
        print(f"gone after {time.monotonic() - started:.2f} s")
        self.assertLess(time.monotonic() - started, within)
        self.assertEqual(left_behind(self.scene), [])

    def serving(self) -> None:
        self.listen()
        self.scene.adapt()
        self.scene.wait_until_served(PORT)
        with self.scene.growth() as grown:
            self.echo()
        self.assertEqual(grown["admitted"], 1)
