#!/usr/bin/python3
"""Tests that are interrupted leave nothing behind, whether their stage is the class's or the test's own."""

from __future__ import annotations

import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

from scene import main
from leftovers import NAMESPACES, PREFIX, pids_in

WAIT_IN_A_TEST = f"""
import sys, time
sys.path.insert(0, {str(pathlib.Path(__file__).resolve().parent)!r})
from scene import Scene, SceneTest, main

class OfTheClass(SceneTest):
    def test_with_one_of_its_own(self):
        scene = self.enterContext(Scene())
        scene.nginx("server", 80)
        scene.adapt()
        scene.wait_until_served(80)
        print("ready", flush=True)
        time.sleep(60)

main()
"""


class Interrupted(unittest.TestCase):
    def left_by(self, pid: int) -> list[str]:
        places = NAMESPACES, pathlib.Path(tempfile.gettempdir())
        return [path.name for place in places for path in place.glob(f"{PREFIX}-{pid}-*")]

    def pins_of(self, inodes: list[int]) -> list[pathlib.Path]:
        return [path for place in ("/sys/fs/bpf/vestibule", "/run/vestibule") for inode in inodes
                for path in pathlib.Path(place).glob(f"{inode}-*")]

    def interrupt(self, test: subprocess.Popen[bytes], number: signal.Signals) -> None:
        """Idle is the stage of the class; on the test's own nginx serves and the adaptor is attached."""
        assert test.stdout is not None
        self.assertEqual(test.stdout.readline(), b"ready\n")
        self.assertEqual(len(self.left_by(test.pid)), 2 * 3)  # two stages: two namespaces, one directory each
        namespaces = list(NAMESPACES.glob(f"{PREFIX}-{test.pid}-*"))
        inodes = [path.stat().st_ino for path in namespaces]
        processes = [pid for path in namespaces for pid in pids_in(path.name)]
        self.assertEqual(len(self.pins_of(inodes)), 2)
        self.assertGreaterEqual(len(processes), 4)  # nginx and its worker, vestibule, and what passes frames
        test.send_signal(number)
        self.assertNotEqual(test.wait(20), 0)
        self.assertEqual(self.left_by(test.pid), [])
        self.assertEqual(self.pins_of(inodes), [])
        self.assertEqual([pid for pid in processes if pathlib.Path(f"/proc/{pid}").exists()], [])

    def test_nothing_is_left_after(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number.name), subprocess.Popen(
                    [sys.executable, "-c", WAIT_IN_A_TEST], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as test:
                self.interrupt(test, number)


if __name__ == "__main__":
    main()
