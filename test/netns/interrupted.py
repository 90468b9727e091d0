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
from stage import NAMESPACES, PREFIX

WAIT_IN_A_TEST = f"""
import sys, time
sys.path.insert(0, {str(pathlib.Path(__file__).resolve().parent)!r})
from scene import Scene, SceneTest, main

class OfTheClass(SceneTest):
    def test_with_one_of_its_own(self):
        self.enterContext(Scene())
        print("ready", flush=True)
        time.sleep(60)

main()
"""


class Interrupted(unittest.TestCase):
    def left_by(self, pid: int) -> list[str]:
        places = NAMESPACES, pathlib.Path(tempfile.gettempdir())
        return [path.name for place in places for path in place.glob(f"{PREFIX}-{pid}-*")]

    def test_nothing_is_left_after(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number.name), subprocess.Popen(
                    [sys.executable, "-c", WAIT_IN_A_TEST], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as test:
                assert test.stdout is not None
                self.assertEqual(test.stdout.readline(), b"ready\n")
                self.assertEqual(len(self.left_by(test.pid)), 2 * 3)  # two stages: two namespaces, one directory each
                test.send_signal(number)
                self.assertNotEqual(test.wait(20), 0)
                self.assertEqual(self.left_by(test.pid), [])


if __name__ == "__main__":
    main()
