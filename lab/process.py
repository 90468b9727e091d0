"""Processes of the lab, and waiting for them.

VESTIBULE_BUILD names the build tree (default: build, beside this directory); VESTIBULE_PATIENCE says how many times slower
than usual this machine is.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import time
import typing
from collections.abc import Callable, Mapping, Sequence

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("VESTIBULE_BUILD", ROOT / "build"))
PATIENCE = float(os.environ.get("VESTIBULE_PATIENCE", 1))

# The namespaces' programs stand where an ordinary user's PATH does not look.
ENVIRONMENT = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}


class StageError(Exception):
    """What was asked of the stage did not happen."""


def tool(path: str) -> str:
    """A program of the build tree."""
    program = BUILD / path
    if not program.exists():
        raise StageError(f"{program} is not there: build first, or set VESTIBULE_BUILD")
    return str(program)


def until(happened: Callable[[], bool], timeout: float, pause: float = 0.02) -> bool:
    """Waits for something to happen; says whether it did."""
    deadline = time.monotonic() + timeout * PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def command(argv: Sequence[object], timeout: float | None = 60) -> str:
    """Runs a command here, in no namespace of the stage; returns what it printed."""
    words = [str(word) for word in argv]
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise StageError(f"{shlex.join(words)}: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return done.stdout


class Process:
    """A process of the stage. What it prints, on either stream, goes to `log`."""

    def __init__(self, argv: Sequence[str], title: str, log: pathlib.Path, env: Mapping[str, str]) -> None:
        self.title = title
        self.log = log
        with log.open("wb") as output:
            # In a session of its own, a Ctrl-C at the terminal reaches the stage alone, which ends things in order.
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def running(self) -> bool:
        return self.popen.poll() is None

    def wait_for(self, pattern: str, timeout: float = 10) -> re.Match[str]:
        """Waits until some line printed so far matches the regular expression."""
        line = re.compile(pattern, re.MULTILINE)
        until(lambda: not self.running() or bool(line.search(self.text())), timeout)
        found = line.search(self.text())
        if not found:
            raise self.trouble(f"no line like '{pattern}' within {timeout} s")
        return found

    def wait(self, timeout: float = 60) -> int:
        """Waits for the end; returns the exit status."""
        try:
            return self.popen.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            raise self.trouble(f"still running after {timeout} s") from None

    def json(self, timeout: float = 60) -> dict[str, typing.Any]:
        """Waits for success; returns the last line, read as JSON."""
        if self.wait(timeout) != 0:
            raise self.trouble("failed")
        return json.loads(self.text().strip().splitlines()[-1])

    def signal(self, number: signal.Signals) -> None:
        if self.running():
            self.popen.send_signal(number)

    def stop(self, timeout: float = 10) -> int:
        """Asks the process to end, insists when it does not; returns the exit status."""
        self.signal(signal.SIGTERM)
        if not until(lambda: not self.running(), timeout):
            self.popen.kill()
        return self.popen.wait()

    def trouble(self, what: str) -> StageError:
        state = "running" if self.running() else f"ended with status {self.popen.returncode}"
        tail = "\n".join(f"    {line}" for line in self.text().splitlines()[-20:])
        return StageError(f"{self.title}: {what} ({state}); its last lines:\n{tail}")
