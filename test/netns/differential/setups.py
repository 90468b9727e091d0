#!/usr/bin/python3
"""Hosts as people set them up (namespaces.py), and addresses that come and go. The SYN-ACKs are the plain kernel's,
connections go as with it, step by step and in bulk, the accepted socket knows the same, and the adaptor answers or
leaves the listener to the stack, for the reason that it should.

        client                                                  server, of either stage (pair.py)
       +----------------------------+      veth pairs          +----------------------------------------------+
       | eth0       10.77.0.1       |--------------------------| eth0   10.77.0.2/24   fd77::2/64             |
       | eth1                       |--------------------------| eth1   10.78.0.2/24   fd78::2/64             |
       +----------------------------+                          |        (in some set-ups only)                |
                                                               +----------------------------------------------+
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import signal
import socket
import subprocess
import sys
import typing
from collections.abc import Iterator, Sequence

sys.path[1:1] = [str(pathlib.Path(__file__).resolve().parents[1] / room) for room in ("", "rehearsal")]
import rules  # noqa: E402
from asking import PORTS, Interview, Question, compare_all  # noqa: E402
from clients import CLIENTS, Client  # noqa: E402
from conversation import GATEWAY, LOOK, ROUTE, Conversation, Peer, Script, Server, Steps  # noqa: E402
from conversation import calm, converse, wire  # noqa: E402
from frames import FIN, SYN  # noqa: E402
from listeners import DEFAULT, Host  # noqa: E402
from namespaces import BOTH_LINKS, LED_AWAY, NEXT_HOP, SECOND, SERVED, SETUPS  # noqa: E402
from namespaces import NOTHING, RESETS, Port, Setup, box_behind  # noqa: E402
from pair import PairTest, Setting, run  # noqa: E402
from report import Case, settle  # noqa: E402
from rulesets import OPEN  # noqa: E402
from scene import Scene, StageError, until  # noqa: E402
from scripts import CLOSE, SAY  # noqa: E402
from syns import telling  # noqa: E402
from transfers import ATTEMPTS, WAYS, Talk  # noqa: E402

Sockets = tuple[list[socket.socket], ...]  # the plain stage's, then ours
USUAL = CLIENTS[0]
NO_OFFLOAD = ["tx", "off", "tso", "off", "gso", "off", "gro", "off"]  # checksums are complete, segments as sent


# --- Addresses, and a VRF ---------------------------------------------------------------------------------------------

MANAGED, MANAGED_NETWORK = "2001:db8:7::2/64", "2001:db8:7::/64"


def new_temporary_address(scene: Scene) -> str:
    scene.sysctl("server", "net.ipv6.conf.eth0.use_tempaddr", 2)
    scene.ip("server", f"address add {MANAGED} dev eth0 mngtmpaddr nodad")
    found: list[str] = []

    def there() -> bool:
        entries = json.loads(scene.ip("server", "-6 -j address show dev eth0"))[0]["addr_info"]
        found.extend(entry["local"] for entry in entries if entry.get("temporary") and not entry.get("tentative"))
        return bool(found)

    if not until(there, 5):
        raise StageError("the server makes no temporary address")
    return found[0]


def has_vrf() -> bool:
    made = subprocess.run(["unshare", "--net", "ip", "link", "add", "any", "type", "vrf", "table", "10"],
                          capture_output=True, check=False)
    return made.returncode == 0


def enslave(scene: Scene) -> None:
    scene.ip("server", "link add vrf0 type vrf table 10")
    scene.sysctl("server", "net.ipv4.tcp_l3mdev_accept", 1)
    neighbours = json.loads(scene.ip("server", "-j neigh show dev eth0 nud permanent"))
    scene.ip("server", "link set vrf0 up")
    scene.ip("server", "link set eth0 master vrf0")
    scene.address("server", "eth0", f"{scene.server.v6}/64")  # IPv6 addresses do not survive this, nor do neighbours
    for each in neighbours:
        scene.ip("server", f"neigh replace {each['dst']} lladdr {each['lladdr']} dev eth0 nud permanent")
    for family, gateway in GATEWAY.items():
        scene.ip("server", f"-{family} route replace default via {gateway} vrf vrf0 {ROUTE}")


def add_link(scene: Scene) -> None:
    scene.veth("client", "eth1", "server", "eth1")
    scene.address("server", "eth1", *(f"{address}/{24 if family == 4 else 64}" for family, address in SECOND.items()))
    link = scene.link("client", "eth1")
    for hop in NEXT_HOP.values():
        scene.ip("server", f"neigh replace {hop} lladdr {link} dev eth1 nud permanent")


@contextlib.contextmanager
def gateways_alone(scene: Scene) -> Iterator[None]:
    """The server knows no other neighbours. The adaptor asks for three of a family: of which links is not certain."""
    known = [(each["dst"], each["dev"], each["lladdr"])
             for each in json.loads(scene.ip("server", "-j neigh show nud permanent"))]
    others = [each for each in known if each[0] not in (*GATEWAY.values(), *NEXT_HOP.values())]
    for address, interface, _ in others:
        scene.ip("server", f"neigh delete {address} dev {interface}")
    try:
        yield
    finally:
        for address, interface, link in others:
            scene.ip("server", f"neigh replace {address} lladdr {link} dev {interface} nud permanent")


def is_gone(endpoint: dict[str, typing.Any]) -> bool:
    """A rehearsal under way when the listener went may have met the reset that followed: that stays on file a while."""
    return RESETS in endpoint.get("why", "")


# --- What peers do ----------------------------------------------------------------------------------------------------

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


VISITS: dict[str, tuple[Script, bool]] = {"connection, timestamps": (visit, True),
                                          "connection, no timestamps": (visit, False)}


class Exchange(Talk):
    """A request and a reply of 100 kB, from the client's own kernel; and what the accepted socket knows."""

    mark = 0

    def accept(self) -> socket.socket:
        connection = super().accept()
        self.mark = connection.getsockopt(socket.SOL_SOCKET, socket.SO_MARK)
        return connection

    def fields(self, other: Talk) -> dict[str, typing.Any]:
        return {field: self.namelessly(value) for field, value in super().fields(other).items()} | {"mark": self.mark}

    def namelessly(self, value: object) -> object:
        """Where each host has an address of its own, that is not a difference."""
        target = self.setting.target(self.family)
        return ("the host", *value[1:]) if isinstance(value, tuple) and value[:1] == (target,) else value


class Setups(PairTest):
    servers: typing.ClassVar[tuple[Server, ...]]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        for scene in cls.scenes:
            for end in ("client", "server"):
                scene.run(end, ["ethtool", "-K", "eth0", *NO_OFFLOAD])
            scene.ip("client", "-6 route add blackhole fd90::/15")  # or it would at times send ICMP errors
            scene.route("client", MANAGED_NETWORK, scene.server.v6)
            calm(scene, "server")
            box_behind(scene)
            USUAL.settle(scene)
        cls.servers = tuple(Server(scene, "server") for scene in cls.scenes)
        for server in cls.servers:
            cls.addClassCleanup(server.close)

    def test_every_setup(self) -> None:
        self.try_all(SETUPS)
        self.try_temporary_addresses()
        self.try_both_links()
        self.try_all(LED_AWAY)
        self.try_vrf()
        settle(self.report, __file__, self.record)

    def try_all(self, setups: Sequence[Setup]) -> None:
        for setup in setups:
            with self.under(setup):
                self.compare_ports(setup)

    # --- Set-ups ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def under(self, setup: Setup) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            if setup.two_links:
                stack.enter_context(self.second_link())
            for scene in self.scenes:
                stack.enter_context(setup.on(scene))
            for each in (*self.interviews, *self.servers):
                stack.callback(setattr, each, "station", each.station)
                each.station = setup.station or each.station
            yield

    @contextlib.contextmanager
    def second_link(self) -> Iterator[None]:
        usual = self.interviews
        with contextlib.ExitStack() as stack:
            for scene, server in zip(self.scenes, self.servers):
                add_link(scene)
                stack.callback(scene.ip, "server", "link delete eth1")
                server.detours = [stack.enter_context(contextlib.closing(wire(scene, "eth1")))]
                stack.callback(server.detours.clear)
            self.interviews = self.interviewers(stack, "eth0", "eth1")
            yield
        self.interviews = usual

    def interviewers(self, stack: contextlib.ExitStack, *links: str) -> tuple[Interview, Interview]:
        plain, ours = (stack.enter_context(contextlib.closing(Interview(scene, *links))) for scene in self.scenes)
        return plain, ours

    @contextlib.contextmanager
    def listening(self, *numbers: int) -> Iterator[dict[int, Sockets]]:
        """Listeners that the adaptor has not met before."""
        with contextlib.ExitStack() as stack:
            opened: dict[int, Sockets] = {}
            for number in numbers:
                opened[number] = tuple([stack.enter_context(scene.listen(number, 6, 4096))] for scene in self.scenes)
            for each, server in enumerate(self.servers):
                server.listeners = [listener for sockets in opened.values() for listener in sockets[each]]
                stack.callback(server.hang_up)
                for listener in server.listeners:
                    listener.setblocking(False)
            yield opened
        if not until(lambda: not any(end["port"] in numbers and not is_gone(end) for end in self.endpoints()), 5):
            raise StageError(f"ports {numbers} are still on file: {self.endpoints()}")

    def endpoints(self) -> list[dict[str, typing.Any]]:
        return typing.cast(list[dict[str, typing.Any]], self.scenes[1].status("server")["endpoints"])

    def compare_ports(self, setup: Setup) -> None:
        numbers = sorted({port.number for port in setup.ports})
        with self.listening(*numbers) as sockets, self.led_to():
            for port in setup.ports:
                self.wait_for(port, self.scenes[1].server.v4, self.scenes[1].server.v6)
                name = ": ".join(filter(None, (setup.name, port.name)))
                for family in (4, 6):
                    self.compare(f"{name}, IPv{family}", port, family)
                    if port.state == SERVED:
                        host = Host(name)
                        self.exchange([Setting(host, DEFAULT, port.number, sockets[port.number])] * 2, family, setup)

    def wait_for(self, port: Port, *addresses: str, interface: str = "eth0") -> None:
        """Until the adaptor has made of it what it should, for the reason that it should."""
        def found() -> list[dict[str, typing.Any]]:
            return [end for end in self.endpoints() if end["address"] in addresses and end["port"] == port.number
                    and end["interface"] == interface]

        def settled() -> bool:
            return len(found()) == len(addresses) and all(
                end["state"] == port.state and port.why in end.get("why", "") for end in found())

        if not until(settled, 5):
            raise StageError(f"not {port.state} ({port.why}): {found()}")

    @contextlib.contextmanager
    def led_to(self) -> Iterator[None]:
        """Where NAT may lead: another port here, and one of the container's."""
        with contextlib.ExitStack() as stack:
            for scene in self.scenes:
                stack.enter_context(scene.listen(rules.BEHIND, 6))
                stack.enter_context(scene.listen(rules.PUBLISHED, 6, ns="box"))
            yield

    # --- What is compared ---------------------------------------------------------------------------------------------

    def compare(self, group: str, port: Port, family: int, targets: Sequence[str] = ()) -> None:
        """Every telling SYN, and whole connections of peers with and without timestamps. `targets`: what the hosts have
        instead of the usual address."""
        source, usual = port.sources[family], self.scenes[1].server.address(family)
        self.ask(group, port, family, usual, targets)
        if not port.led_away:  # a conversation does not wait for those who are a hop further on
            self.visit(group, source, port.number, targets or (usual, usual))

    def ask(self, group: str, port: Port, family: int, target: str, instead: Sequence[str] = ()) -> None:
        for interview, alias in zip(self.interviews, instead):
            interview.aliases = {target: alias}
        sides = self.interviews
        questions = [Question(shape, port.sources[family], target, port.number) for shape in telling()]
        for question, *replies in compare_all(*sides, questions):
            asked = question.segment()
            plain, ours = (reply.features(side.addressed(asked)) for side, reply in zip(sides, replies))
            self.report.add(Case(group, question.shape.name), plain, ours, replies[1].answerer)
            self.assertTrue(plain["reply"].startswith(port.says[family == 6]), f"{group}: {plain['reply']}")
        for interview in sides:
            interview.aliases = {}

    def visit(self, group: str, source: str, number: int, targets: Sequence[str]) -> None:
        for name, (script, stamped) in VISITS.items():
            port = next(PORTS)
            isn = port * 2654435761 % 2**32
            talks = [Conversation(server, Peer(source, target, number, port, isn, stamped), script)
                     for server, target in zip(self.servers, targets)]
            self.interviews[1].far.take()
            for talk in talks:
                converse([talk])
            kind = self.answerer_of(port, any("SA" in str(words) for words in talks[1].fields.values()))
            self.report.add(Case(group, name), talks[0].fields, talks[1].fields, kind)

    def answerer_of(self, port: int, answered: bool) -> str:
        if any(each.ports[0] == port and each.flags & SYN for each in self.interviews[1].far.take()):
            return "stack"
        return "adaptor" if answered else "nobody"

    def exchange(self, settings: Sequence[Setting], family: int, setup: Setup, client: Client = USUAL) -> None:
        """As transfers.py does. `settings`: of the plain stage, and of ours."""
        with contextlib.ExitStack() as stack:
            sides = zip(self.scenes, self.interviews, settings[0].sockets)
            talks = [stack.enter_context(contextlib.closing(Exchange(side, setting, client, family)))
                     for side, setting in zip(sides, settings)]
            for _ in range(ATTEMPTS):
                port = next(PORTS)
                for talk in talks:
                    talk.hold(port)
                if all(talks[0].is_settled(talks[1], way) for way in WAYS):
                    break
            fields = [talk.fields(other) for talk, other in zip(talks, reversed(talks))]
        self.assertEqual(fields[0]["mark"], setup.mark)
        self.report.add(Case(settings[0].group(family), "100 kB each way"), *fields, talks[1].answerer)

    # --- Addresses, both links, a VRF ---------------------------------------------------------------------------------

    def try_temporary_addresses(self) -> None:
        """RFC 8981: the host makes up an address, uses it for a while, and drops it."""
        with self.listening(OPEN) as sockets:
            for which in ("first", "second"):
                name = f"the {which} temporary address"
                targets = [new_temporary_address(scene) for scene in self.scenes]
                self.scenes[1].wait_for_service("server", OPEN, targets[1])
                self.compare(f"{name}, IPv6", Port(), 6, targets)
                hosts = [Host(name, targets=(self.scenes[1].server.v4, target)) for target in targets]
                self.exchange([Setting(host, DEFAULT, OPEN, sockets[OPEN]) for host in hosts], 6, Setup(name))
                for scene in self.scenes:
                    scene.ip("server", f"address delete {MANAGED} dev eth0")
                if not until(lambda: all(end["address"] != targets[1] for end in self.endpoints()), 5):
                    raise StageError(f"{targets[1]} is still on file")
                self.compare(f"{name}, removed, IPv6", Port(says=NOTHING), 6, targets)

    def try_both_links(self) -> None:
        """The adaptor starts anew, on both. Nothing after this wants the second link to go away."""
        for scene in self.scenes:
            add_link(scene)
            scene.run("server", ["ethtool", "-K", "eth1", *NO_OFFLOAD])
            scene.pass_frames("client", "eth1")
        plain, ours = self.scenes
        plain.pass_frames("server", "eth1")
        assert ours.adaptor
        ours.adaptor.signal(signal.SIGKILL)
        ours.adaptor.wait()
        ours.adapt("--interface", "eth1")
        usual = self.interviews
        with contextlib.ExitStack() as stack:
            for scene in self.scenes:
                stack.enter_context(gateways_alone(scene))
            self.interviews = self.interviewers(stack, "eth1", "eth0")
            for setup in BOTH_LINKS:
                with self.under(setup), self.listening(OPEN):
                    self.ask_by_second_link(setup.name, setup.ports[0])
        self.interviews = usual

    def ask_by_second_link(self, name: str, port: Port) -> None:
        self.wait_for(port, *SECOND.values(), interface="eth1")
        for family, target in SECOND.items():
            self.ask(f"{name}, IPv{family}", port, family, target)

    def try_vrf(self) -> None:
        """The last one, since it leaves the hosts changed."""
        name = "an interface in a VRF"
        if not has_vrf():
            self.report.skip(name, "this kernel lacks VRF")
            return
        for scene in self.scenes:
            enslave(scene)
        with self.listening(OPEN):
            for family in (4, 6):
                self.compare(f"{name}, IPv{family}", Port(), family)
            ends = typing.cast("list[dict[str, object]]", self.scenes[1].status("server")["endpoints"])
            self.assertNotIn("served", [end["state"] for end in ends if end["port"] == OPEN])


if __name__ == "__main__":
    run(Setups)
