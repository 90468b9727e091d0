"""Hosts as people set them up: packet filters, NAT, marks, more than one interface. What each does to a port, and what
the adaptor is to make of it."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping

sys.path[1:1] = [str(pathlib.Path(__file__).resolve().parents[1] / room) for room in ("", "rehearsal")]
import rules  # noqa: E402
import rulesets  # noqa: E402
from conversation import ROUTE, calm  # noqa: E402
from rules import closing_by_iptables, docker_by_iptables  # noqa: E402
from rulesets import NAT, OPEN  # noqa: E402
from scene import Scene  # noqa: E402

SERVED, LEFT = "served", "left"

STRANGERS = {4: "10.90.0.9", 6: "fd90::9"}
OUTSIDERS = {4: "203.0.113.9", 6: "2001:db8:77::9"}  # not of the networks that some rules let in
DETOURED = {4: "10.91.0.9", 6: "fd91::9"}  # their way back may be another

Circumstances = Callable[[Scene], contextlib.AbstractContextManager[object]]


@dataclasses.dataclass(frozen=True)
class Port:
    """A listener, and how peers get to it."""

    number: int = OPEN
    state: str = SERVED  # in the end
    why: str = ""  # a part of the reason why it is left
    name: str = ""
    sources: Mapping[int, str] = dataclasses.field(default_factory=lambda: STRANGERS)
    says: tuple[str, str] = ("SA", "SA")  # what a peer hears, IPv4 and IPv6
    led_away: bool = False  # to another namespace


@dataclasses.dataclass(frozen=True)
class Setup:
    name: str
    ports: tuple[Port, ...] = (Port(),)
    on: Circumstances = contextlib.nullcontext
    two_links: bool = False
    station: str = ""  # who hands over the peers' frames; the gateway, unless told otherwise
    mark: int = 0  # that accepted sockets have


def left(why: str) -> tuple[Port, ...]:
    return (Port(state=LEFT, why=why),)


# --- Packet filters ---------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def nft(scene: Scene, ruleset: str) -> Iterator[None]:
    scene.run("server", ["nft", "-f", "-"], input=ruleset)
    try:
        yield
    finally:
        scene.run("server", ["nft", "flush ruleset"])


@contextlib.contextmanager
def sysctls(scene: Scene, values: Mapping[str, object], usual: Mapping[str, object]) -> Iterator[None]:
    scene.sysctl("server", values)
    try:
        yield
    finally:
        scene.sysctl("server", usual)


@contextlib.contextmanager
def iptables(scene: Scene, backend: str, table: str, made: Callable[[bool], str]) -> Iterator[None]:
    for v6 in (False, True):
        rules.restore(scene, backend, v6, made(v6))
    try:
        yield
    finally:
        rules.empty(scene, backend, table)


def by_nft(ruleset: str) -> Circumstances:
    return lambda scene: nft(scene, ruleset)


def by_iptables(backend: str, table: str, made: Callable[[bool], str]) -> Circumstances:
    return lambda scene: iptables(scene, backend, table, made)


def filtered(name: str, ruleset: str, ports: tuple[Port, ...] = (Port(),)) -> Setup:
    return Setup(name, ports, by_nft(ruleset))


def by_backend(name: str, ports: tuple[Port, ...], nftables: str, table: str,
               made: Callable[[bool], str]) -> Iterator[Setup]:
    """The same rules in the words of nftables and of both iptables."""
    yield Setup(f"{name}, nftables", ports, by_nft(nftables))
    for backend in rules.BACKENDS:
        yield Setup(f"{name}, iptables-{backend}", ports, by_iptables(backend, table, made))


UNTRACKED, NEW_SYNS = "accepts the port whatever its ct state", "accept new connections without the SYN flag"
LOOSE, SILENT, RESETS = "nf_conntrack_tcp_loose=1", "does not answer here", "answers with a reset"
TO_SOME, NATTED = "answers some sources and not others", "leads this port to another"

NOTHING, A_RESET = ("silence", "silence"), ("RA", "RA")
PORT_UNREACHABLE, PROHIBITED = ("ICMP 3.3", "ICMPv6 1.4"), ("ICMP 3.13", "ICMPv6 1.1")

CLOSED = (
    Port(rules.DROPPED, LEFT, SILENT, "dropped", says=NOTHING),
    Port(rules.SOME_ONLY, LEFT, TO_SOME, "open to some, from there"),
    Port(rules.SOME_ONLY, LEFT, TO_SOME, "open to some, from elsewhere", OUTSIDERS, NOTHING),
    Port(rules.RESET, LEFT, RESETS, "rejected with a reset", says=A_RESET),
    Port(rules.UNREACHABLE, LEFT, SILENT, "rejected", says=PORT_UNREACHABLE),
    Port(rules.PROHIBITED, LEFT, SILENT, "rejected as prohibited", says=PROHIBITED),
    Port(rules.OPEN, name="open"),
)


@contextlib.contextmanager
def strict(scene: Scene) -> Iterator[None]:
    """Conntrack takes up no connection in its midst."""
    name = "net.netfilter.nf_conntrack_tcp_loose"
    with nft(scene, rulesets.INVALID_DROP), sysctls(scene, {name: 0}, {name: 1}):
        yield


# --- NAT --------------------------------------------------------------------------------------------------------------

def box_behind(scene: Scene) -> None:
    """A container behind the server, as translation.py has it, and those link addresses that traffic would teach."""
    box = scene.container("box")
    to_box = scene.link("server", "to-box")
    for address in (box.v4, box.v6):
        scene.ip("server", f"neigh replace {address} lladdr {box.link} dev to-box nud permanent")
    for address in ("10.88.1.1", "fd88:1::1"):
        scene.ip("box", f"neigh replace {address} lladdr {to_box} dev eth0 nud permanent")


LED = (
    Port(rules.REDIRECTED, LEFT, NATTED, "redirected"),
    Port(rules.PUBLISHED, LEFT, "", "led to a container", led_away=True),
    Port(rules.PLAIN, name="not led"),
)


# --- Marks ------------------------------------------------------------------------------------------------------------

MARK = 0x2A
MARKING = f"""
    table inet marking {{
        chain prerouting {{ type filter hook prerouting priority mangle; tcp dport {OPEN} meta mark set {MARK}; }}
    }}"""


def marked(ruleset: str) -> Circumstances:
    @contextlib.contextmanager
    def on(scene: Scene) -> Iterator[None]:
        name = "net.ipv4.tcp_fwmark_accept"
        with sysctls(scene, {name: 1}, {name: 0}), nft(scene, ruleset):
            yield
    return on


# --- Two interfaces ---------------------------------------------------------------------------------------------------

NEXT_HOP = {4: "10.78.0.1", 6: "fd78::1"}
SECOND = {4: "10.78.0.2", 6: "fd78::2"}  # the host's addresses there


@contextlib.contextmanager
def some_by_detour(scene: Scene) -> Iterator[None]:
    ways = [(f"-{family} route", f"{destination} via {NEXT_HOP[family]}")
            for family, destination in ((4, "10.91.0.0/16"), (6, "fd91::/64"))]
    for route, way in ways:
        scene.ip("server", f"{route} add {way} {ROUTE}")
    try:
        yield
    finally:
        for route, way in ways:
            scene.ip("server", f"{route} delete {way}")


@contextlib.contextmanager
def all_by_detour(scene: Scene) -> Iterator[None]:
    for family, hop in NEXT_HOP.items():
        scene.ip("server", f"-{family} route replace default via {hop} {ROUTE}")
    try:
        yield
    finally:
        calm(scene, "server")


@contextlib.contextmanager
def paths_checked(scene: Scene) -> Iterator[None]:
    """What comes by a link that its answer would not leave by is dropped (RFC 3704)."""
    name = "net.ipv4.conf.all.rp_filter"
    with sysctls(scene, {name: 1}, {name: 0}), some_by_detour(scene):
        yield


DETOUR = (Port(sources=DETOURED),)
UNCHECKED_V6 = (Port(sources=DETOURED, says=("silence", "SA")),)  # Linux checks the paths of IPv4 alone

SETUPS = (
    Setup("no netfilter"),
    filtered("NAT rules for others", NAT),
    filtered("like ufw", rulesets.UFW),
    filtered("like ufw, NAT rules", rulesets.UFW + NAT),
    filtered("like firewalld", rulesets.FIREWALLD),
    filtered("like firewalld, NAT rules", rulesets.FIREWALLD + NAT),
    filtered("ct state new only", rulesets.NEW_ONLY),
    filtered("ct state new only, NAT rules", rulesets.NEW_ONLY + NAT, left(UNTRACKED)),
    filtered("new must be SYN", rulesets.NEW_IS_SYN, left(NEW_SYNS)),
    Setup("nothing invalid, not loose", left(LOOSE), strict),
    filtered("narrow both ways", rulesets.BOTH_WAYS),
    filtered("narrow both ways, NAT rules", rulesets.BOTH_WAYS + NAT, left(UNTRACKED)),
    filtered("no resets let in", rulesets.NO_RESETS),
    filtered("dropped early", rules.EARLY, (Port(rules.DROPPED, LEFT, SILENT, says=NOTHING),)),
    *by_backend("closed", CLOSED, rules.CLOSING, "filter", closing_by_iptables),
    Setup("marks by the packet filter", on=marked(MARKING), mark=MARK),
    Setup("marks by the packet filter, NAT rules", on=marked(MARKING + NAT), mark=MARK),
    Setup("two links, way back by the same", on=some_by_detour, two_links=True),
    Setup("two links, way back by the other", DETOUR, some_by_detour, two_links=True),
    Setup("two links, paths checked, way back by the same", on=paths_checked, two_links=True),
    Setup("two links, paths checked, way back by the other", UNCHECKED_V6, paths_checked, two_links=True),
    Setup("default route by the other link", on=all_by_detour, two_links=True),
    Setup("behind a balancer that sees one way only", station="02:00:00:00:ba:1a"),
)

# With the adaptor on both links, and SYNs by the second. Whose answer leaves by the first is told SYN by SYN.
BOTH_LINKS = (
    Setup("both links met, by the second, way back by the same", on=all_by_detour),
    Setup("both links met, by the second, way back by the first"),
    Setup("both links met, by the second, way back of some by the same", DETOUR, some_by_detour),
)

# The last ones: a table of NAT rules that the older iptables has made stays, if empty, and every handoff is untracked.
LED_AWAY = tuple(by_backend("like Docker", LED, rules.DOCKER, "nat", docker_by_iptables))
