"""What every result says of the machine it was measured on, and where results are kept."""

from __future__ import annotations

import datetime
import os
import pathlib
import platform
import re
from collections.abc import Iterator, Sequence

RESULTS = pathlib.Path(__file__).resolve().parent / "results"


def machine() -> Iterator[str]:
    model = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    yield f"date:    {datetime.date.today().isoformat()}"
    yield f"kernel:  {platform.release()} {platform.machine()}"
    yield f"CPU:     {model[1] if model else 'unknown'}, {os.cpu_count()} of them"
    yield f"load:    {os.getloadavg()[0]:.1f} at the end, this benchmark itself included"


def record(lines: Sequence[str], name: str) -> pathlib.Path:
    """Into bench/results, as whoever owns the tree."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}-{datetime.date.today().isoformat()}.txt"
    file.write_text("\n".join(lines) + "\n")
    owner = RESULTS.parent.stat()
    for path in (RESULTS, file):
        os.chown(path, owner.st_uid, owner.st_gid)
    return file
