#!/usr/bin/python3
"""Hosts as people set them up: packet filters, NAT, more than one interface, addresses that come and go. The SYN-ACKs
are the plain kernel's, connections go as with it, and the adaptor answers or leaves the listener to the stack.

        client                                                  server and plain, alike but for the adaptor on eth0
       +----------------------------+      veth pairs          +----------------------------------------------+
       | eth0, eth1  10.77.0.1      |--------------------------| eth0   10.77.0.2/24   fd77::2/64             |
       | eth2, eth3  10.78.0.1      |--------------------------| eth1   10.78.0.2/24   fd78::2/64             |
       +----------------------------+                          |        (in some set-ups only)                |
                                                               +----------------------------------------------+
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import pathlib
import sys
import typing
from collections.abc import Callable, Iterator, Mapping

sys.path[1:1] = [str(pathlib.Path(__file__).resolve().parents[1] / room) for room in ("", "rehearsal")]
from asking import Tap  # noqa: E402
from conversation import GATEWAY, LOOK, ROUTE, Conversation, Peer, Script, Server, Steps  # noqa: E402
from conversation import beside, calm, converse, wire  # noqa: E402
from frames import FIN, RST, SYN  # noqa: E402
from report import Case, Report, recording, settle  # noqa: E402
from rulesets import FIREWALLD, INVALID_DROP, NAT, NEW_ONLY, OPEN, UFW  # noqa: E402
from scene import Scene, SceneTest, StageError, main, until  # noqa: E402
from scripts import CLOSE, SAY  # noqa: E402
from syns import Shape, telling  # noqa: E402

SERVED, LEFT = "served", "left"
KINDS = ADAPTOR, STACK, NOBODY = "adaptor", "stack", "nobody"

Change = Callable[[Scene, str], object]

STRANGERS = {4: "10.90", 6: "fd90:"}
DETOURED = {4: "10.91", 6: "fd91:"}


def nothing(scene: Scene, ns: str) -> None:
    pass


@dataclasses.dataclass(frozen=True)
class Setup:
    name: str
    state: str = SERVED  # in the end
    make: Change = nothing
    undo: Change = nothing
    sources: Mapping[int, str] = dataclasses.field(default_factory=lambda: STRANGERS)
    two_links: bool = False
    station: str = ""  # who hands over the peers' frames; the gateway, unless told otherwise


def filtered(name: str, ruleset: str, state: str = SERVED, loose: bool = True) -> Setup:
    def make(scene: Scene, ns: str) -> None:
        scene.run(ns, ["nft", "-f", "-"], input=ruleset)
        scene.sysctl(ns, "net.netfilter.nf_conntrack_tcp_loose", int(loose))

    def undo(scene: Scene, ns: str) -> None:
        scene.run(ns, ["nft", "flush ruleset"])
        scene.sysctl(ns, "net.netfilter.nf_conntrack_tcp_loose", 1)

    return Setup(name, state, make, undo)


# --- Two interfaces ---------------------------------------------------------------------------------------------------

DETOURS = {"server": "eth2", "plain": "eth3"}  # the client's ends
NEXT_HOP = {4: "10.78.0.1", 6: "fd78::1"}


def some_by_detour(scene: Scene, ns: str) -> None:
    for destination, hop in (("10.91.0.0/16", NEXT_HOP[4]), ("fd91::/64", NEXT_HOP[6])):
        scene.ip(ns, f"-{6 if ':' in hop else 4} route add {destination} via {hop} {ROUTE}")


def all_by_detour(scene: Scene, ns: str) -> None:
    for family, hop in NEXT_HOP.items():
        scene.ip(ns, f"-{family} route replace default via {hop} {ROUTE}")


SETUPS = (
    Setup("no netfilter"),
    filtered("NAT rules for others", NAT),
    filtered("like ufw", UFW),
    filtered("like ufw, NAT rules", UFW + NAT),
    filtered("like firewalld", FIREWALLD),
    filtered("like firewalld, NAT rules", FIREWALLD + NAT),
    filtered("ct state new only", NEW_ONLY),
    filtered("ct state new only, NAT rules", NEW_ONLY + NAT, LEFT),
    filtered("nothing invalid, not loose", INVALID_DROP, LEFT, loose=False),
    Setup("two links, way back by the same", SERVED, some_by_detour, calm, two_links=True),
    Setup("two links, way back by the other", SERVED, some_by_detour, calm, DETOURED, two_links=True),
    Setup("default route by the other link", SERVED, all_by_detour, calm, two_links=True),
    Setup("behind a balancer that sees one way only", station="02:00:00:00:ba:1a"),
)


# --- Addresses, and a VRF ---------------------------------------------------------------------------------------------

MANAGED = "2001:db8:7::2/64"


def new_temporary_address(scene: Scene, ns: str) -> str:
    scene.sysctl(ns, "net.ipv6.conf.eth0.use_tempaddr", 2)
    scene.ip(ns, f"address add {MANAGED} dev eth0 mngtmpaddr nodad")
    found: list[str] = []

    def there() -> bool:
        entries = json.loads(scene.ip(ns, "-6 -j address show dev eth0"))[0]["addr_info"]
        found.extend(entry["local"] for entry in entries if entry.get("temporary") and not entry.get("tentative"))
        return bool(found)

    if not until(there, 5):
        raise StageError(f"{ns} makes no temporary address")
    return found[0]


def enslave(scene: Scene, ns: str) -> None:
    scene.ip(ns, "link add vrf0 type vrf table 10")
    scene.sysctl(ns, "net.ipv4.tcp_l3mdev_accept", 1)
    neighbours = json.loads(scene.ip(ns, "-j neigh show dev eth0 nud permanent"))
    scene.ip(ns, "link set vrf0 up")
    scene.ip(ns, "link set eth0 master vrf0")
    scene.address(ns, "eth0", f"{scene.server.v6}/64")  # IPv6 addresses do not survive this, nor do neighbours
    for each in neighbours:
        scene.ip(ns, f"neigh replace {each['dst']} lladdr {each['lladdr']} dev eth0 nud permanent")
    for family, gateway in GATEWAY.items():
        scene.ip(ns, f"-{family} route replace default via {gateway} vrf vrf0 {ROUTE}")


# --- What peers do ----------------------------------------------------------------------------------------------------

def knock(shape: Shape) -> Script:
    def script(p: Peer) -> Steps:
        yield "SYN", shape.segment(p.address, p.host, (p.port, p.target), p.isn)
        yield "RST", p.segment(RST, 1, None, options=b"")
    return script


def visit(p: Peer) -> Steps:
    """A whole connection."""
    yield "SYN", p.syn()
    yield "ACK", p.ack()
    yield "request", p.ack(b"hello from the peer")
    yield "application", LOOK
    yield "the host speaks", SAY
    yield "FIN", p.ack(seq=20, ack=20, flags=FIN)
    yield "application", LOOK
    yield "the host closes", CLOSE
    yield "last ACK", p.ack(seq=21, ack=21)


class Setups(SceneTest):
    record: typing.ClassVar[bool] = False

    @classmethod
    def arrange(cls) -> None:
        scene = cls.scene
        cls.servers = beside(scene, "plain", "eth1"), Server(scene, "server")
        for server in cls.servers:
            cls.addClassCleanup(server.close)
            calm(scene, server.ns)
        cls.tap = Tap(scene, "server")
        cls.addClassCleanup(cls.tap.close)
        scene.adapt("--key-rotation", 600)
        cls.numbers = itertools.count(1)
        cls.report = Report(KINDS, ())

    def test_every_setup(self) -> None:
        for setup in SETUPS:
            with self.under(setup):
                for family in (4, 6):
                    self.compare(f"{setup.name}, IPv{family}", setup.sources[family])
        self.try_temporary_addresses()
        self.try_vrf()
        settle(self.report, __file__, self.record)

    def try_temporary_addresses(self) -> None:
        """RFC 8981: the host makes up an address, uses it for a while, and drops it."""
        with self.listening():
            for which in ("first", "second"):
                targets = {server.ns: new_temporary_address(self.scene, server.ns) for server in self.servers}
                self.scene.wait_for_service("server", OPEN, targets["server"])
                self.compare(f"the {which} temporary address", STRANGERS[6], targets)
                for server in self.servers:
                    self.scene.ip(server.ns, f"address delete {MANAGED} dev eth0")
                if not until(lambda: targets["server"] not in self.addresses_on_file(), 5):
                    raise StageError(f"{targets['server']} is still on file")
                self.compare(f"the {which} temporary address, removed", STRANGERS[6], targets)

    def addresses_on_file(self) -> set[str]:
        endpoints = typing.cast(list[dict[str, typing.Any]], self.scene.status("server")["endpoints"])
        return {end["address"] for end in endpoints if end["port"] == OPEN and end["state"] == SERVED}

    def try_vrf(self) -> None:
        """The last one, since it leaves the hosts changed."""
        name = "an interface in a VRF"
        try:
            for server in self.servers:
                enslave(self.scene, server.ns)
        except StageError:
            self.report.skip(name, "this kernel lacks VRF")
            return
        with self.listening():
            until(lambda: all(self.scene.endpoint(OPEN, family) for family in (4, 6)), 5)
            for family in (4, 6):
                self.compare(f"{name}, IPv{family}", STRANGERS[family])

    @contextlib.contextmanager
    def under(self, setup: Setup) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for server in self.servers:
                if setup.two_links:
                    stack.enter_context(self.second_link(server))
                stack.callback(setup.undo, self.scene, server.ns)
                setup.make(self.scene, server.ns)
                stack.callback(setattr, server, "station", server.station)
                server.station = setup.station or server.station
            with self.listening():
                self.scene.wait_for_state(setup.state, OPEN)
                yield

    @contextlib.contextmanager
    def second_link(self, server: Server) -> Iterator[None]:
        interface = DETOURS[server.ns]
        self.scene.veth("client", interface, server.ns, "eth1")
        self.scene.address(server.ns, "eth1", "10.78.0.2/24", "fd78::2/64")
        for hop in NEXT_HOP.values():
            link = self.scene.link("client", interface)
            self.scene.ip(server.ns, f"neigh replace {hop} lladdr {link} dev eth1 nud permanent")
        with contextlib.closing(wire(self.scene, interface)) as detour:
            server.detours = [detour]
            yield
        server.detours = []
        self.scene.ip(server.ns, "link delete eth1")

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Listeners that the adaptor has not met before."""
        for server in self.servers:
            server.listen(OPEN)
        try:
            yield
        finally:
            for server in self.servers:
                server.hang_up()
            if not until(lambda: self.scene.endpoint(OPEN, 4) is None and self.scene.endpoint(OPEN, 6) is None, 5):
                raise StageError(f"port {OPEN} is still on file: {self.scene.status('server')['endpoints']}")

    def compare(self, group: str, source: str, targets: Mapping[str, str] | None = None) -> None:
        """Every telling SYN, and whole connections of peers with and without timestamps. `targets` are addresses of the
        hosts that are not the same."""
        scripts: dict[str, tuple[Script, bool]] = {shape.name: (knock(shape), True) for shape in telling()}
        scripts |= {"connection, timestamps": (visit, True), "connection, no timestamps": (visit, False)}
        talks = {name: self.conversations(source, targets or {}, *how) for name, how in scripts.items()}
        self.tap.take()
        converse(list(itertools.chain(*talks.values())))
        passed = {(s.source, s.ports[0]) for s in self.tap.take() if s.flags & SYN}
        for name, (plain, ours) in talks.items():
            answered = any("SA" in str(words) for words in ours.fields.values())
            kind = STACK if (ours.peer.address, ours.peer.port) in passed else ADAPTOR if answered else NOBODY
            self.report.add(Case(group, name), plain.fields, ours.fields, kind)

    def conversations(self, source: str, targets: Mapping[str, str], script: Script,
                      stamped: bool) -> list[Conversation]:
        number = next(self.numbers)
        address = f"{source}:1:{number:x}" if ":" in source else f"{source}.{number >> 8}.{number & 255}"
        usual = self.scene.server.address(6 if ":" in source else 4)
        isn = number * 2654435761 % 2**32
        return [Conversation(server, Peer(address, targets.get(server.ns, usual), OPEN, 1024 + number, isn, stamped),
                             script) for server in self.servers]


if __name__ == "__main__":
    Setups.record = recording()
    main()
