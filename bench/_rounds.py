"""Rounds of a benchmark whose hosts are measured in turn, and the CPUs that each part of it has for itself."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from process import StageError  # noqa: E402


def cpus() -> tuple[int, int, int]:
    """For the generator, for the host, and for the far end that gets the answers."""
    able = sorted(os.sched_getaffinity(0))
    if len(able) < 2:
        raise StageError("two CPUs are wanted: one for the generator, one for the host")
    return able[0], able[1], able[2] if len(able) > 2 else able[0]


def in_turn(names: Sequence[str], n: int) -> list[str]:
    """The order of the n-th round: each begins with another host."""
    first = n % len(names)
    return [*names[first:], *names[:first]]
