"""The receiving work of a veth interface, in a kernel thread of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
from collections.abc import Iterator

from leftovers import NAMESPACES
from process import StageError, command

LOCK = NAMESPACES.parent  # a directory is locked: it is there anyway, and no file is left behind


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    held = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def threads_named(start: str) -> set[int]:
    found = set()
    for comm in pathlib.Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):  # it may have ended meanwhile
            if comm.read_text().startswith(start):
                found.add(int(comm.parent.name))
    return found


def start(namespace: str, interface: str) -> int:
    # Kernel threads are named after the interface, which other stages have too: one at a time.
    with locked(LOCK):
        before = threads_named(f"napi/{interface}-")
        threaded = f"/sys/class/net/{interface}/threaded"
        # sysfs shows the namespace it was mounted in; here the fresh mount of `ip netns exec` is wanted.
        command(["ip", "netns", "exec", namespace, "sh", "-c", f"echo 1 > {threaded}"])
        new = threads_named(f"napi/{interface}-") - before
    if len(new) != 1:
        raise StageError(f"{namespace}: {interface} has {len(new)} new receiving threads, not one")
    return new.pop()


class Receiver:
    """As a thread it shares its CPU with others, like ksoftirqd."""

    def __init__(self, namespace: str, interface: str) -> None:
        self.thread = start(namespace, interface)

    def pin(self, cpu: int, first: bool) -> None:
        """With `first` it goes before others, like an interrupt."""
        os.sched_setaffinity(self.thread, {cpu})
        os.sched_setscheduler(self.thread, os.SCHED_FIFO if first else os.SCHED_OTHER, os.sched_param(1 if first else 0))

    def seconds(self) -> float:
        """Processor time that it has had so far."""
        return int(pathlib.Path(f"/proc/{self.thread}/schedstat").read_text().split()[0]) / 1e9
