"""Sysctls of a namespace, without a process for each: they are those of whoever opens the file."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterable, Mapping

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from scene import Scene  # noqa: E402


def file_of(name: str) -> pathlib.Path:
    return pathlib.Path("/proc/sys", *name.split("."))


def read(scene: Scene, ns: str, names: Iterable[str]) -> dict[str, str]:
    with scene.inside(ns):
        return {name: file_of(name).read_text().strip() for name in names}


def write(scene: Scene, ns: str, values: Mapping[str, object]) -> None:
    with scene.inside(ns):
        for name, value in values.items():
            file_of(name).write_text(f"{value}\n")
