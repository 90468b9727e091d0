#!/usr/bin/env python3
"""What a namespace of the lab holds, and its removal with all of that. As a program: removes what stages left behind
whose process was killed."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator

from process import StageError, command, until

NAMESPACES = pathlib.Path("/run/netns")
PREFIX = "vestibule-lab"


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """In the course of clearing up, one failure does not prevent the rest."""
    try:
        yield
    except (StageError, OSError) as error:
        print(f"stage: {error}", file=sys.stderr)


def pids_in(namespace: str) -> list[int]:
    return [int(pid) for pid in command(["ip", "netns", "pids", namespace]).split()]


def kill_all(namespace: str) -> bool:
    pids = pids_in(namespace)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return not pids


def remove_namespace(namespace: str) -> None:
    """With its processes, and with what a vestibule that was killed in it left pinned."""
    until(lambda: kill_all(namespace), 5)
    inode = (NAMESPACES / namespace).stat().st_ino
    for parent in ("/sys/fs/bpf/vestibule", "/run/vestibule"):
        for left in pathlib.Path(parent).glob(f"{inode}-*"):
            shutil.rmtree(left, ignore_errors=True)
        with contextlib.suppress(OSError):  # another instance lives there, or none ever did
            os.rmdir(parent)
    command(["ip", "netns", "delete", namespace])


def alive(pid: int) -> bool:
    return pathlib.Path(f"/proc/{pid}").exists()


def sweep() -> None:
    """Removes what stages left behind whose process was killed."""
    name = re.compile(rf"{PREFIX}-(\d+)-[0-9a-f]+-")
    for place, remove in ((NAMESPACES, lambda path: remove_namespace(path.name)),
                          (pathlib.Path(tempfile.gettempdir()), shutil.rmtree)):
        for path in sorted(place.glob(f"{PREFIX}-*")):
            stage = name.match(path.name)
            if stage and not alive(int(stage[1])):
                with telling():
                    remove(path)
                    print(f"removed {path}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit("usage: leftovers.py")
    sweep()
