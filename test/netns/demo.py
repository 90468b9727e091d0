#!/usr/bin/python3
"""The demo tells what it promises, within its time, and leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import typing
import unittest

from scene import main
from leftovers import NAMESPACES, PREFIX, pids_in
from process import ROOT

# Shorter than what users see, and bearable for a machine that does other things besides.
RATE, VISITS, SECONDS = 30_000, 30, 1
TRIED = VISITS * SECONDS
USUAL_SECONDS, USUAL_BOUND = 8, 60
BOUND = USUAL_BOUND - 2 * (USUAL_SECONDS - SECONDS)  # seconds, both scenes: that much shorter than the usual demo

TIME = r"(?:[\d.e+]+ ms|[\d.]+ s|over 3 s)"
COUNT = r"[\d,]+"
MEMORY = r"(?:0|[\d,]+ KiB)"
ROWS = {
    "connections tried": COUNT,
    "completed within 3 s": COUNT,
    "time to connect, median": TIME,
    "time to connect, 99th percentile": TIME,
    "SYNs of the flood per second": COUNT,
    "SYNs answered per second": COUNT,
    "half-open connections on the host": COUNT,
    "host memory for them (slab)": MEMORY,
    "TCP buffers, growth (sockstat)": rf"(?:under )?{MEMORY}",
}


def words(*options: object, rate: int = RATE, visits: int = VISITS, seconds: int = SECONDS) -> list[str]:
    return [sys.executable, str(ROOT / "lab/demo.py"), "--rate", str(rate), "--visits", str(visits),
            "--seconds", str(seconds), *map(str, options)]


class Traces:
    """What a demo has on the machine, as long as it has it."""

    PLACES = NAMESPACES, pathlib.Path(tempfile.gettempdir())

    def __init__(self, pid: int) -> None:
        self.name = f"{PREFIX}-{pid}-*"
        self.inodes = [path.stat().st_ino for path in NAMESPACES.glob(self.name)]
        self.processes = [pid for path in NAMESPACES.glob(self.name) for pid in pids_in(path.name)]

    def left(self) -> list[str]:
        files = [path for place in self.PLACES for path in place.glob(self.name)]
        pins = [path for place in ("/sys/fs/bpf/vestibule", "/run/vestibule") for inode in self.inodes
                for path in pathlib.Path(place).glob(f"{inode}-*")]
        processes = [f"process {pid}" for pid in self.processes if pathlib.Path(f"/proc/{pid}").exists()]
        return [*map(str, files + pins), *processes]


class Told(unittest.TestCase):
    def perform(self, *options: object) -> str:
        """What it prints."""
        began = time.monotonic()
        demo = subprocess.Popen(words(*options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(demo.kill)
        said, complaints = demo.communicate(timeout=2 * BOUND)
        took = time.monotonic() - began
        print(f"{took:.1f} s")
        self.assertEqual((demo.returncode, complaints), (0, ""))
        self.assertLess(took, BOUND)
        self.assertEqual(Traces(demo.pid).left(), [])
        return said

    def test_to_people_every_row_for_both_servers(self) -> None:
        said = self.perform()
        self.assertRegex(said, r"(?m)^ +plain kernel +Vestibule$")
        shown = {label: re.search(rf"(?m)^  {re.escape(label)} +({value}) +({value})$", said)
                 for label, value in ROWS.items()}
        self.assertEqual([label for label, row in shown.items() if row is None], [], said)
        cells = {label: row.groups() for label, row in shown.items() if row}
        self.assertEqual(cells["connections tried"], (str(TRIED), str(TRIED)))
        self.assertEqual(cells["completed within 3 s"][1], str(TRIED))
        self.assertEqual(cells["half-open connections on the host"][1], "0")
        self.assertEqual(cells["host memory for them (slab)"][1], "0")
        self.assertIn(f"none of {TRIED} to Vestibule", " ".join(said.split()))
        for title in ("plain kernel", "Vestibule"):  # the progress, where no line can change
            self.assertRegex(said, rf"(?m)^{title}: {RATE:,} SYNs and {VISITS} visits a second, for {SECONDS} s$")

    def test_to_programs_every_figure(self) -> None:
        plain, ours = typing.cast(list[dict[str, typing.Any]], json.loads(self.perform("--json")))
        self.assertEqual((plain["title"], ours["title"]), ("plain kernel", "Vestibule"))
        for seen in (plain, ours):
            self.assertEqual(set(seen), {
                "title", "tried", "completed", "connect_p50", "connect_p99", "sent_per_sec", "answered_per_sec",
                "half_open", "half_open_bytes", "buffer_bytes"})
            self.assertEqual(seen["tried"], TRIED)
            self.assertGreater(seen["sent_per_sec"], 0)
            self.assertGreater(seen["answered_per_sec"], 0)
        self.assertGreater(plain["half_open"], 0)
        self.assertGreater(plain["half_open_bytes"], 0)
        self.assertEqual((ours["completed"], ours["half_open"], ours["half_open_bytes"]), (TRIED, 0, 0))
        self.assertGreater(ours["connect_p50"], 0)
        self.assertLessEqual(ours["connect_p50"], ours["connect_p99"])
        self.assertLess(ours["connect_p99"], 1)  # else a SYN was sent twice


class Interrupted(unittest.TestCase):
    """By those who have seen enough. The flood matters little here."""

    def begin(self) -> subprocess.Popen[str]:
        demo = subprocess.Popen(words(rate=1_000, visits=10, seconds=4), stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(demo.communicate)
        self.addCleanup(demo.kill)
        return demo

    def traces_in(self, demo: subprocess.Popen[str], title: str) -> Traces:
        """When the visitors of that scene are invited, or nearly."""
        assert demo.stdout
        while not re.match(f"{title}: .* SYNs", line := demo.stdout.readline()):
            self.assertNotEqual(line, "", f"{title} was never on")
        return Traces(demo.pid)

    def test_in_the_midst_of_each_scene(self) -> None:
        ways = (signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)
        for title in ("plain kernel", "Vestibule"):
            demos = [(self.begin(), number, status) for number, status in ways]
            traces = [self.traces_in(demo, title) for demo, _, _ in demos]
            time.sleep(0.5)
            for demo, number, _ in demos:
                demo.send_signal(number)
            for (demo, number, status), its in zip(demos, traces):
                with self.subTest(scene=title, signal=number.name):
                    self.assertEqual(len(its.inodes), 2)
                    self.assertGreater(len(its.processes), 4)
                    self.assertEqual(demo.wait(20), status)
                    self.assertEqual(its.left(), [])

    def test_by_ctrl_c_at_a_terminal_where_a_line_shows_the_progress(self) -> None:
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(sys.executable, words(rate=1_000, visits=10, seconds=4))
        self.addCleanup(os.close, terminal)
        said = self.read(terminal, r"━.*─.* [1-9]\d* of \d+ visits completed")
        its = Traces(pid)
        self.assertGreater(len(its.processes), 4)
        os.write(terminal, b"\x03")
        said += self.read(terminal, "stopped; nothing is left behind")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 130)
        self.assertEqual(its.left(), [])
        self.assertNotIn("Traceback", said)

    def read(self, terminal: int, pattern: str) -> str:
        """What is on the terminal, until that is."""
        said = b""
        while not re.search(pattern, said.decode(errors="replace")):
            self.assertTrue(select.select([terminal], [], [], 15)[0], f"no '{pattern}' in {said!r}")
            try:
                said += os.read(terminal, 4096)
            except OSError:  # nobody writes there any more
                self.fail(f"ended without '{pattern}': {said!r}")
        return said.decode(errors="replace")


if __name__ == "__main__":
    main()
