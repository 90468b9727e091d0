"""A congestion control that needs ECN, as DCTCP does, on kernels that have no DCTCP. It is the whole machine's, not a
namespace's: tests that want it at the same time share it, and the last one removes it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "lab"))
from process import tool  # noqa: E402

NAME = "needs_ecn"


def is_there(name: str) -> bool:
    """Where it is a module, the kernel loads it to be asked."""
    with socket.socket() as asked:
        try:
            asked.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
        except OSError:
            return False
    return True


def bpftool(*words: str) -> None:
    program = os.environ.get("BPFTOOL") or shutil.which("bpftool", path=f"{os.environ['PATH']}:/usr/sbin") or "bpftool"
    subprocess.run([program, *words], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def registered() -> Iterator[None]:
    compiled = tool(f"lab/{NAME}.bpf.o")
    with open(compiled, "rb") as shared:
        fcntl.flock(shared, fcntl.LOCK_EX)
        if not is_there(NAME):
            bpftool("struct_ops", "register", compiled)
        fcntl.flock(shared, fcntl.LOCK_SH)
        try:
            yield
        finally:
            with contextlib.suppress(BlockingIOError):  # another test still wants it
                fcntl.flock(shared, fcntl.LOCK_EX | fcntl.LOCK_NB)
                bpftool("struct_ops", "unregister", "name", NAME)
