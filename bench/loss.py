#!/usr/bin/python3
"""Visitors over links that lose segments, and over long ones: ./run bench loss [--visits N] [--family 4|6] [--record]

Three hosts, visited at the same time, each over an impaired link of its own, with the same seed: of the same visit, the
same segments are lost (lab/visits.py).

    plain kernel      nginx behind the plain kernel, which remembers SYNs and repeats its SYN-ACKs
    kernel cookies    the same with net.ipv4.tcp_syncookies=2: what a flooded kernel does
    Vestibule         nginx behind `vestibule run`

Then the same with a server that speaks first. A figure never makes this fail; something that did not work does.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import pathlib
import sys
from collections.abc import Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from _result import add_options, measuring, publish  # noqa: E402
from network import Impairment  # noqa: E402
from process import StageError  # noqa: E402
from traffic import percentile  # noqa: E402
from visits import VESTIBULE, Findings, Wish, visit  # noqa: E402

LINKS = (
    Impairment(), Impairment(loss=1), Impairment(loss=5), Impairment(loss=20),
    Impairment(rtt=50), Impairment(rtt=300), Impairment(rtt=50, loss=5), Impairment(rtt=300, loss=20),
)
SERVER_FIRST = (Impairment(rtt=50, loss=1), Impairment(rtt=50, loss=5), Impairment(rtt=50, loss=20))

Result = list[tuple[Impairment, dict[str, Findings]]]


def measure(links: Sequence[Impairment], wish: Wish) -> Result:
    found: Result = []
    for link in links:
        print(f"{title(link)}{', the server speaks first' if wish.server_first else ''} ...", flush=True)
        (hosts,) = visit([link], wish)
        for host, one in hosts.items():
            check(host, one)
        found.append((link, hosts))
    return found


def check(host: str, found: Findings) -> None:
    if found.link["forth"]["overflowed"] + found.link["back"]["overflowed"]:
        raise StageError(f"the link of {host} lost more frames than it was told to: {found.link}")
    if host == VESTIBULE and found.admitted < completed(found):
        raise StageError(f"Vestibule admitted {found.admitted} of {completed(found)} visitors")
    if completed(found) == 0:
        raise StageError(f"{host} served nobody")


def completed(found: Findings) -> int:
    return sum(seconds is not None for seconds in found.complete)


def connected(found: Findings) -> int:
    return sum(seconds is not None for seconds in found.connect)


# --- Telling ----------------------------------------------------------------------------------------------------------

def title(link: Impairment) -> str:
    loss = f"{link.loss:g} % lost each way" if link.loss else ""
    rtt = f"{link.rtt:g} ms there and back" if link.rtt else ""
    return ", ".join(filter(None, (loss, rtt))) or "no impairment"


def told(value: float) -> str:
    """Milliseconds."""
    if math.isinf(value):
        return "never"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def data_sent_again(counted: dict[str, int]) -> int:
    return counted["TcpRetransSegs"] - counted["TcpExtTCPSynRetrans"]


WIDTHS = (14, 10, 12, 10)  # of the columns for what was sent again


def page_row(host: str, found: Findings) -> str:
    connect = "".join(f"{told(percentile(found.connect, percent)):>8}" for percent in (50, 90, 99))
    page = "".join(f"{told(percentile(found.complete, percent)):>8}" for percent in (50, 99))
    again = (found.link["forth"]["repeated_syns"], data_sent_again(found.client),
             found.link["back"]["repeated_syns"], data_sent_again(found.server))
    return (f"  {host:16}{connect}  {page}  " + "".join(f"{number:>{width}}" for number, width in zip(again, WIDTHS))
            + f"{len(found.complete) - completed(found):>9}")


def page_table(result: Result) -> Iterator[str]:
    yield (f"{'':18}{'connected after, ms':>24}  {'page after, ms':>16}  {'sent again by visitors':>24}"
           f"{'sent again by host':>22}{'not':>9}")
    yield (f"{'':18}" + "".join(f"{name:>8}" for name in ("p50", "p90", "p99")) + "  "
           + "".join(f"{name:>8}" for name in ("p50", "p99")) + "  "
           + "".join(f"{name:>{width}}" for name, width in zip(("SYN", "data", "SYN-ACK", "data"), WIDTHS))
           + f"{'served':>9}")
    for link, hosts in result:
        yield title(link)
        yield from (page_row(host, found) for host, found in hosts.items())


def greeting_row(host: str, found: Findings) -> str:
    greeting = "".join(f"{told(percentile(found.complete, percent)):>10}" for percent in (50, 90, 99))
    return (f"  {host:16}{greeting}{found.link['back']['repeated_syns']:>10}{len(found.connect) - connected(found):>16}"
            f"{connected(found) - completed(found):>14}")


def greeting_table(result: Result) -> Iterator[str]:
    yield f"{'':18}{'greeted after, ms':>30}{'SYN-ACKs':>10}{'not':>16}{'connected,':>14}"
    yield (f"{'':18}" + "".join(f"{name:>10}" for name in ("p50", "p90", "p99"))
           + f"{'again':>10}{'connected':>16}{'not greeted':>14}")
    for link, hosts in result:
        yield title(link)
        yield from (greeting_row(host, found) for host, found in hosts.items())


def late_frames(*results: Result) -> str:
    links = [found.link for result in results for _, hosts in result for found in hosts.values()]
    frames = sum(link["forth"]["frames"] + link["back"]["frames"] for link in links)
    return f"The links carried {frames:,} frames, {sum(link['late'] for link in links):,} of them over 1 ms too late."


def report(pages: Result, greetings: Result, wish: Wish) -> list[str]:
    return [
        f"{wish.visits:,} visits to each host, {wish.rate:g} begun per second, IPv{wish.family}.",
        "All hosts lose the same segments of each visit. Kernel cookies: tcp_syncookies=2, as it is under a flood.", "",
        "The visitor speaks first: connect, ask for a small page, get it.", "",
        *page_table(pages), "",
        "The server speaks first: connect, be greeted. A visitor stays connected and not greeted where its last ACK of",
        "the handshake was lost and the host does not repeat its SYN-ACK: then neither has anything to send. Visitors",
        f"give up after {wish.patience:g} s.", "",
        *greeting_table(greetings), "",
        late_frames(pages, greetings),
    ]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Connect times and retransmissions over impaired links.")
    parser.add_argument("--visits", type=int, default=1000, help="of each host, over each link (%(default)s)")
    parser.add_argument("--rate", type=float, default=200, help="visits begun per second (%(default)g)")
    parser.add_argument("--patience", type=float, default=30, help="seconds for each visit (%(default)g)")
    add_options(parser)
    return parser.parse_args()


def named(result: Result) -> list[dict[str, object]]:
    return [{"link": link, "hosts": hosts} for link, hosts in result]


def main() -> None:
    asked = arguments()
    wish = Wish(asked.visits, asked.rate, asked.patience, asked.family)
    with measuring("loss"):
        pages = measure(LINKS, wish)
        greetings = measure(SERVER_FIRST, dataclasses.replace(wish, server_first=True))
    publish("loss", report(pages, greetings, wish), {"page": named(pages), "greeting": named(greetings)}, asked)


if __name__ == "__main__":
    main()
