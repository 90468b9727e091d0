#!/usr/bin/python3
"""What one frame costs the adaptor, in nanoseconds: ./run bench cost [--only WORDS] [--rounds N] [--json]

The adaptor that `vestibule run` has attached, with a real listener and a rehearsed answer, is run over and over on one
frame by BPF_PROG_TEST_RUN: no driver, no queue, nobody else in between. Beside it stands the least that an answer could
cost, a swap of the link addresses. The frame is written anew before each run, which is measured, and subtracted.

For comparing two versions: VESTIBULE_BUILD names the build tree.
"""

from __future__ import annotations

import argparse
import dataclasses
import ipaddress
import json
import pathlib
import struct
import sys
from collections.abc import Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from _result import measuring  # noqa: E402
from network import End  # noqa: E402
from process import StageError, tool  # noqa: E402
from stage import Stage  # noqa: E402

PORT = 80
PEER = {4: "198.18.0.1", 6: "2001:2::1"}  # RFC 2544, RFC 5180

SYN, ACK = 0x02, 0x10
LINUX = bytes((2, 4, 0x05, 0xB4, 4, 2, 8, 10, 0, 0, 0x30, 0x39, 0, 0, 0, 0, 1, 3, 3, 7))
WINDOWS = bytes((2, 4, 0x05, 0xB4, 1, 3, 3, 8, 1, 1, 4, 2))
DATA = bytes((1, 1, 8, 10, 0, 0, 0x30, 0x39, 0, 0, 0xD4, 0x31))

ACTIONS = ("aborted", "drop", "pass", "tx", "redirect")


@dataclasses.dataclass(frozen=True)
class Kind:
    title: str
    family: int
    flags: int
    options: bytes
    port: int
    action: str  # that the adaptor must take
    counter: str  # that it must count


KINDS = (
    Kind("SYN, IPv4, timestamps", 4, SYN, LINUX, PORT, "tx", "syn_answered"),
    Kind("SYN, IPv4, no timestamps", 4, SYN, WINDOWS, PORT, "tx", "syn_answered"),
    Kind("SYN, IPv6, timestamps", 6, SYN, LINUX, PORT, "tx", "syn_answered"),
    Kind("SYN to a closed port, IPv4", 4, SYN, LINUX, PORT + 1, "pass", "no_listener"),
    Kind("segment without SYN, IPv4", 4, ACK, DATA, PORT, "pass", "not_an_attempt"),
    Kind("segment without SYN, IPv6", 6, ACK, DATA, PORT, "pass", "not_an_attempt"),
)


@dataclasses.dataclass(frozen=True)
class Cost:
    """Nanoseconds per frame."""

    title: str
    rewrite: int  # to write the frame and do nothing with it
    swap: int  # beyond that
    adaptor: int  # beyond that


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def segment(kind: Kind, addresses: bytes) -> bytes:
    """Without source port and low half of the sequence number: they differ in each run, and add nothing to the sum."""
    offset = (20 + len(kind.options)) // 4 << 4
    header = struct.pack("!HHHHIBBHHH", 0, kind.port, 0x1234, 0, 0, offset, kind.flags, 64240, 0, 0) + kind.options
    pseudo = addresses + struct.pack("!II", len(header), 6)
    return header[:16] + struct.pack("!H", checksum(pseudo + header)) + header[18:]


def packet(kind: Kind, destination: str) -> bytes:
    addresses = ipaddress.ip_address(PEER[kind.family]).packed + ipaddress.ip_address(destination).packed
    tcp = segment(kind, addresses)
    if kind.family == 6:
        return struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64) + addresses + tcp
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0) + addresses
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + tcp


def frame(kind: Kind, server: End, client: End) -> bytes:
    links = bytes.fromhex((server.link + client.link).replace(":", ""))
    return links + (b"\x86\xdd" if kind.family == 6 else b"\x08\x00") + packet(kind, server.address(kind.family))


def adaptor_program(stage: Stage) -> int:
    return int(json.loads(stage.ip("server", "-j -d link show eth0"))[0]["xdp"]["prog"]["id"])


def measure(stage: Stage, kind: Kind, program: int, rounds: int, frames: int) -> Cost:
    before = stage.counters("server")[kind.counter]
    done = stage.run("server", [
        tool("bench/vestibule-cost"), "--interface", "eth0", "--program", program, "--rounds", rounds,
        "--frames", frames, "--frame", frame(kind, stage.server, stage.client).hex(),
    ])
    found = json.loads(done.stdout)
    counted = stage.counters("server")[kind.counter] - before
    if ACTIONS[found["action"]] != kind.action or counted < rounds * frames:
        raise StageError(f"{kind.title}: the adaptor's action was {ACTIONS[found['action']]}, and it counted {counted} "
                         f"{kind.counter} in {rounds * frames} runs")
    return Cost(kind.title, found["rewrite"], found["swap"] - found["rewrite"], found["measured"] - found["rewrite"])


def measure_all(kinds: Sequence[Kind], rounds: int, frames: int) -> list[Cost]:
    with Stage(static_neighbours=True) as stage:
        stage.nginx("server", PORT)
        stage.pass_frames("client", "eth0")
        stage.vestibule("server", "eth0")
        stage.wait_for_service("server", PORT, stage.server.v4, stage.server.v6)
        program = adaptor_program(stage)
        return [measure(stage, kind, program, rounds, frames) for kind in kinds]


def show(costs: list[Cost], rounds: int, frames: int) -> None:
    print(f"Nanoseconds per frame; the least of {rounds} rounds of {frames:,}. To write the frame anew each time took "
          f"{min(cost.rewrite for cost in costs)} to {max(cost.rewrite for cost in costs)},\nnot counted here.\n")
    print(f"{'':28}{'adaptor':>9}{'link swap':>12}")
    for cost in costs:
        print(f"{cost.title:28}{cost.adaptor:>9}{cost.swap:>12}")


def main() -> None:
    parser = argparse.ArgumentParser(description="What one frame costs the adaptor, in nanoseconds.")
    parser.add_argument("--only", default="", metavar="WORDS", help="kinds of frames whose name contains this")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--frames", type=int, default=50_000, help="frames in each round")
    parser.add_argument("--json", action="store_true")
    wish = parser.parse_args()
    kinds = [kind for kind in KINDS if wish.only.lower() in kind.title.lower()]
    if not kinds:
        parser.error(f"--only wants a part of one of: {'; '.join(kind.title for kind in KINDS)}")
    with measuring("cost"):
        costs = measure_all(kinds, wish.rounds, wish.frames)
    if wish.json:
        print(json.dumps([dataclasses.asdict(cost) for cost in costs], indent=1))
    else:
        show(costs, wish.rounds, wish.frames)


if __name__ == "__main__":
    main()
