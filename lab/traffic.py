"""Those who connect to a stage's web server: a closed loop of clients, each as fast as it gets on, or visitors at a
steady pace, whatever becomes of those before. Each wants addresses of its own: so no port comes round while the server
still holds it in TIME-WAIT.
"""

from __future__ import annotations

import dataclasses
import math
import re
import typing

from process import Process, StageError, tool
from stage import Stage

PORT = 80
PARALLEL = 48
PATIENCE = 5.0  # seconds


@dataclasses.dataclass(frozen=True)
class Loop:
    """What wrk says. It sends its request right after its ACK: often both come in one receive batch of the server."""

    requests: int  # one for each connection
    seconds: float
    errors: str  # none: ""
    p99_ms: float  # from the request to the end of the page


def milliseconds(text: str) -> float:
    if text.endswith("nan"):  # not one request
        return math.inf
    found = re.fullmatch(r"([\d.]+)(us|ms|s)", text)
    if not found:
        raise StageError(f"wrk says {text!r} for a time")
    return float(found[1]) * {"us": 1e-3, "ms": 1, "s": 1e3}[found[2]]


def read_wrk(said: str) -> Loop:
    done = re.search(r"(\d+) requests in ([\d.]+)(\w+)", said)
    p99 = re.search(r"^ +99% +(\S+)", said, re.MULTILINE)
    if not done or not p99:
        raise StageError(f"wrk says nothing of its requests: {said}")
    errors = "".join(line for line in said.splitlines() if "Socket errors" in line or "Non-2xx" in line)
    return Loop(int(done[1]), milliseconds(done[2] + done[3]) / 1000, errors, milliseconds(p99[1]))


def loop(stage: Stage, source: str, seconds: int, cpu: int) -> Loop:
    """Short connections from one address, to the server's of the same family."""
    family, length = (6, 128) if ":" in source else (4, 32)
    server = stage.server.address(family)
    stage.address("client", "lo", f"{source}/{length}")
    stage.ip("client", f"-{family} route replace {server}/{length} dev eth0 src {source}")
    host = f"[{server}]" if family == 6 else server
    return read_wrk(stage.run("client", [
        "taskset", "-c", cpu, "wrk", "-t1", f"-c{PARALLEL}", f"-d{seconds}s", "--timeout", f"{PATIENCE:g}s",
        "--latency", "-H", "Connection: close", f"http://{host}:{PORT}/",
    ]).stdout)


def invite(stage: Stage, sources: str, rate: float, seconds: float, cpu: int | None = None) -> Process:
    """Visitors from many addresses, those of a prefix that the client owns (`Stage.own`)."""
    family = 6 if ":" in sources else 4
    return stage.spawn("client", [
        *(() if cpu is None else ("taskset", "-c", cpu)), tool("lab/vestibule-visitors"),
        "--server", stage.server.address(family), "--port", PORT, "--sources", sources, "--rate", rate,
        "--seconds", seconds, "--patience", PATIENCE,
    ])


def connect_times(visitors: Process) -> list[float | None]:
    """Seconds; none where there was no connection, or no page over it."""
    told = visitors.json()
    return [connect if complete is not None else None
            for connect, complete in zip(told["connect_seconds"], told["complete_seconds"])]


def percentile(seconds: typing.Sequence[float | None], percent: int) -> float:
    """In milliseconds; of all, those that never came so far included."""
    ordered = sorted(math.inf if one is None else 1000 * one for one in seconds)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
