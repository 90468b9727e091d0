"""What benchmarks have in common: some options, how they fail, what every result says of the machine it was measured on, and
where results are kept."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import re
import sys
from collections.abc import Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from process import StageError  # noqa: E402

RESULTS = pathlib.Path(__file__).resolve().parent / "results"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--family", type=int, choices=(4, 6), default=4, help="IPv4 or IPv6 (%(default)s)")
    parser.add_argument("--record", action="store_true", help="write the result into bench/results/")
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path, help="write all that was measured there")


@contextlib.contextmanager
def measuring(name: str) -> Iterator[None]:
    """What goes wrong within the block ends the benchmark with one line."""
    try:
        yield
    except (StageError, OSError) as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


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


def publish(name: str, lines: Sequence[str], measured: object, wish: argparse.Namespace) -> None:
    """Prints the lines, and does what was asked for with the options of add_options."""
    result = [*lines, "", *machine()]
    print("\n" + "\n".join(result))
    if wish.json:
        wish.json.write_text(json.dumps(measured, indent=1, default=dataclasses.asdict) + "\n")
    if wish.record:
        print(f"recorded in {record(result, f'{name}-v{wish.family}')}")
