#!/usr/bin/python3
"""A killed daemon's place is taken while peers come and go: none of them notices. The programs it left at work go on
answering; the next daemon knows from the first segment on what they promised. One that cannot start leaves them at it;
one that serves other interfaces lets them finish."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import itertools
import json
import pathlib
import signal
import socket
import struct
import threading
import time
import typing
import unittest

from peer import IP, LINUX, TCP, WINDOWS, IPv6, Packet, Peer, Wire, peers_of
from scene import BPF_TCX_INGRESS, Acceptor, Process, Scene, echo_once, main, query_programs, receive_exactly, until

PORT, VISITED, CLOSED = 7000, 7001, 7002
OTHERS = range(7100, 7150)  # to rehearse them all takes a while: what must hold in the meantime has time to fail
HELD = 25  # handshakes of each kind
PORTS = itertools.count(2000)  # of their peers: no 4-tuple comes twice
PAUSE = 0.005  # seconds between visits
TAKEOVERS = 2
ENOUGH_VISITS = 20 * TAKEOVERS  # of each family
# One rule that has nothing to do with us is enough: without any, tracked handoffs are not reset.
NAT = "table ip nat { chain pre { type nat hook prerouting priority dstnat ; tcp dport 9 redirect to :10 ; } ; }"


# Classic BPF: frames whose TCP source port is PORT (without IP options). All that the visitors exchange would fill the
# wire's buffer while a daemon starts.
REPLIES = ((0x28, 0, 0, 12), (0x15, 0, 2, 0x0800), (0x28, 0, 0, 34), (0x05, 0, 0, 1), (0x28, 0, 0, 54),
           (0x15, 0, 1, PORT), (0x06, 0, 0, 1 << 18), (0x06, 0, 0, 0))
SO_ATTACH_FILTER = 26


def hear_replies_only(wire: Wire) -> Wire:
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in REPLIES))
    wire.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                           struct.pack("HP", len(REPLIES), ctypes.addressof(code)))
    return wire


@dataclasses.dataclass
class Held:
    """A handshake whose SYN-ACK has come and whose ACK is yet to be sent."""

    peer: Peer
    ack: bytes


class Visitor(threading.Thread):
    """One connection after another, a few words over each, until closed. The client speaks first."""

    def __init__(self, scene: Scene, family: int) -> None:
        super().__init__(daemon=True)
        self.scene = scene
        self.family = family
        self.visits = 0
        self.longest = 0.0  # seconds
        self.failed: list[str] = []
        self._ending = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._ending.wait(PAUSE):
            began = time.monotonic()
            try:
                self._visit()
            except OSError as error:
                self.failed.append(str(error))
            self.visits += 1
            self.longest = max(self.longest, time.monotonic() - began)

    def _visit(self) -> None:
        with self.scene.connect(VISITED, self.family) as connection:
            connection.sendall(b"hello")
            if receive_exactly(connection, 5) != b"hello":
                raise OSError("no answer")

    def close(self) -> None:
        self._ending.set()
        self.join()


class Takeover(unittest.TestCase):
    def setUp(self) -> None:
        self.scene = self.enterContext(Scene())
        self.wire = hear_replies_only(self.closing(Wire(self.scene)))
        self.closing(Acceptor(self.scene.listen(PORT, 6, backlog=4096), echo_once))

    def closing(self, thing: typing.Any) -> typing.Any:
        """Closes it after the test."""
        self.addCleanup(thing.close)
        return thing

    def adapt(self, *options: object) -> None:
        self.scene.adapt(*options)
        self.scene.wait_until_served(PORT)

    def kill(self) -> None:
        assert self.scene.adaptor
        self.scene.adaptor.signal(signal.SIGKILL)
        self.scene.adaptor.wait(5)

    @property
    def ifindex(self) -> int:
        return int(json.loads(self.scene.ip("server", "-j link show eth0"))[0]["ifindex"])

    def first_replies(self, peers: list[Peer], flags: str) -> dict[tuple[str, int], Packet]:
        """The first segment to each of them that carries all these flags."""
        found: dict[tuple[str, int], Packet] = {}
        wanted = {(peer.address, peer.port) for peer in peers}
        for segment in self.wire.segments(5):
            to = (segment[IPv6 if IPv6 in segment else IP].dst, segment[TCP].dport)
            if to in wanted and (said := str(segment[TCP].flags)):
                self.assertNotIn("R", said, f"{to} was reset")
                if all(flag in said for flag in flags):
                    found.setdefault(to, segment)
            if len(found) == len(wanted):
                break
        self.assertEqual(wanted - found.keys(), set(), f"not all of {len(wanted)} were answered with {flags}")
        return found

    def hold(self) -> list[Held]:
        """Handshakes begun with the programs at work, of both families, with timestamps and without."""
        found = []
        for family, options in itertools.product((4, 6), (LINUX, WINDOWS)):
            peers = peers_of(self.wire, PORT, HELD, family)
            for peer in peers:
                peer.port = next(PORTS)
            self.wire.send(peer.syn(options) for peer in peers)
            came = self.first_replies(peers, "SA")
            found += [Held(p, bytes(p.ack(came[p.address, p.port], b"held"))) for p in peers]
        return found

    def start_and_replace(self, *options: object) -> Process:
        """Starts the next daemon, and returns as soon as the first of its programs stands in the place of the
        former's."""
        ifindex = self.ifindex
        with self.scene.inside("server"):
            before = query_programs(ifindex, BPF_TCX_INGRESS)
            self.assertEqual(len(before), 1)
            self.scene.adaptor = self.scene.spawn("server", self.scene.vestibule_words("eth0", *options))
            if not until(lambda: query_programs(ifindex, BPF_TCX_INGRESS)[:1] != before, 20, pause=0.002):
                raise self.scene.adaptor.trouble("has not taken the place of the former")
        return self.scene.adaptor

    def complete(self, held: list[Held]) -> None:
        self.wire.send(typing.cast(Packet, h.ack) for h in held)

    def assert_all_hear_their_words(self, held: list[Held]) -> None:
        """None is reset."""
        echoes = self.first_replies([h.peer for h in held], "PA")
        self.assertEqual({bytes(echo[TCP].payload)[:4] for echo in echoes.values()}, {b"held"})

    def take_over(self, *options: object) -> None:
        held = self.hold()
        started = self.start_and_replace(*options)
        self.complete(held)
        started.wait_for("^ready$", 30)
        self.assert_all_hear_their_words(held)
        self.assertGreaterEqual(self.scene.counters("server")["admitted"], len(held))

    def test_neither_handshakes_under_way_nor_new_peers_notice(self) -> None:
        for port in OTHERS:
            self.closing(self.scene.listen(port, 6))
        self.closing(Acceptor(self.scene.listen(VISITED, 6), echo_once))
        self.adapt()
        self.scene.wait_until_served(VISITED)
        visitors = [self.closing(Visitor(self.scene, family)) for family in (4, 6)]
        with self.scene.protocol_growth("client") as client:
            for _ in range(TAKEOVERS):
                self.kill()
                self.take_over()
        for visitor in visitors:
            visitor.close()
            print(f"{visitor.visits} visits, the longest {visitor.longest * 1000:.0f} ms, failed: {visitor.failed}")
            self.assertEqual(visitor.failed, [])
            self.assertGreater(visitor.visits, ENOUGH_VISITS)
        self.assertEqual(client["TcpEstabResets"] + client["TcpAttemptFails"], 0)

    def take_over_after(self, epochs: int, seconds: int) -> None:
        self.adapt("--key-rotation", seconds)
        ended = time.time() // seconds
        self.kill()
        time.sleep((ended + epochs) * seconds - time.time())
        self.take_over("--key-rotation", seconds)

    # A cookie tells by one bit which key it was made with: that of an even epoch, or of an odd one.
    def test_nor_where_the_former_key_has_been_due_for_replacement_twice(self) -> None:
        self.take_over_after(2, seconds=2)

    def test_nor_where_it_has_been_due_three_times(self) -> None:
        self.take_over_after(3, seconds=4)  # the key is in force for the rest of the epoch: time enough to begin

    def test_nor_where_the_handoff_goes_untracked(self) -> None:
        self.scene.run("server", ["nft", NAT])
        self.adapt()
        for _ in range(TAKEOVERS):
            self.kill()
            self.take_over()
            self.assertEqual(self.scene.counters("server")["handoff_refused"], 0)

    def test_what_went_while_nobody_watched_is_forgotten(self) -> None:
        closed = self.scene.listen(CLOSED, 6)
        self.adapt()
        self.scene.wait_until_served(CLOSED)
        self.kill()
        closed.close()
        self.scene.adapt()
        self.assertIsNone(self.scene.endpoint(CLOSED, 4))
        self.scene.wait_until_served(PORT)

    # --- A start that is not finished ---------------------------------------------------------------------------------

    def test_nor_where_one_was_killed_while_it_took_the_place(self) -> None:
        self.adapt()
        self.kill()
        held = self.hold()
        self.start_and_replace()
        self.kill()
        self.take_over()
        self.complete(held)
        self.assert_all_hear_their_words(held)

    def pins(self) -> dict[str, int]:
        """What is pinned for the server; each with a number that no other has, not even one of that name later on."""
        (folder,) = pathlib.Path("/sys/fs/bpf/vestibule").glob(f"{self.scene.path('server').stat().st_ino}-*")
        found = {}
        for pin in folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # gone since it was listed
                found[str(pin.relative_to(folder))] = pin.stat().st_ino
        return found

    def adaptors(self) -> dict[str, tuple[int, int]]:
        """The XDP programs at the server's interfaces, and their modes."""
        links = json.loads(self.scene.ip("server", "-j -d link show"))
        return {link["ifname"]: (link["xdp"]["mode"], link["xdp"]["prog"]["id"]) for link in links if "xdp" in link}

    def assert_cannot_start(self, *options: object) -> None:
        """What was at work before still is, and does what it did: for peers who came before, and for others."""
        held, at_work = self.hold(), (self.scene.attached("server"), self.adaptors(), self.pins().keys())
        started = self.scene.spawn("server", self.scene.vestibule_words("eth0", "--interface", "eth1", *options))
        self.assertNotEqual(started.wait(30), 0)
        self.assertRegex(started.text().splitlines()[-1], "^vestibule: eth1: ")
        self.assertEqual((self.scene.attached("server"), self.adaptors(), self.pins().keys()), at_work)
        with self.scene.protocol_growth("server") as stack:
            held += self.hold()
        self.assertEqual(stack["TcpOutSegs"], 0)
        self.complete(held)
        self.assert_all_hear_their_words(held)

    def test_nor_where_the_next_finds_another_program_at_a_second_interface(self) -> None:
        self.scene.veth("server", "eth1", "client", "eth1")
        self.scene.pass_frames("server", "eth1")
        self.adapt()
        self.kill()
        pins = self.pins()
        self.assert_cannot_start()
        self.assertEqual(self.pins(), pins)  # the witness's, too
        self.take_over()

    def test_nor_where_the_next_may_not_keep_the_mode_of_a_second_interface(self) -> None:
        self.scene.veth("server", "eth1", "client", "eth1")
        self.adapt("--interface", "eth1")
        self.kill()
        pins = self.pins()
        self.assert_cannot_start("--xdp", "native")
        self.assertEqual(self.pins(), pins)
        self.take_over("--interface", "eth1")

    def test_nor_where_the_next_has_changed_the_mode_of_the_first(self) -> None:
        self.scene.veth("server", "eth1", "client", "eth1")
        self.adapt("--xdp", "generic")
        self.kill()
        self.assert_cannot_start("--xdp", "native")
        self.take_over("--xdp", "native")

    # --- Other interfaces ---------------------------------------------------------------------------------------------

    def assert_finishes(self, *before: object) -> None:
        """At eth0, which the next daemon does not serve."""
        self.scene.veth("server", "eth1", "client", "eth1")
        self.adapt(*before)
        self.kill()
        held = self.hold()
        self.scene.adaptor = self.scene.vestibule("server", "eth1")
        self.complete(held)
        self.assert_all_hear_their_words(held)
        self.assertRegex(self.scene.adaptor.text(), r"(?m)^warning: eth0: [^\n]* left to the stack\n")
        self.assertEqual(self.adaptors().keys(), {"eth1"})
        self.assertTrue(until(lambda: f"handoff-{self.ifindex}" not in self.pins(), 5))
        with self.scene.inside("server"):
            self.assertEqual(query_programs(self.ifindex, BPF_TCX_INGRESS), [])
        self.assertNotIn(f"adaptor-{self.ifindex}", self.pins())
        with self.scene.connect(PORT) as connection:
            connection.sendall(b"hello")
            self.assertEqual(receive_exactly(connection, 5), b"hello")

    def test_it_finishes_where_one_of_two_interfaces_is_not_served_any_more(self) -> None:
        self.assert_finishes("--interface", "eth1")

    def test_it_finishes_where_another_interface_is_served_and_the_handoff_goes_untracked(self) -> None:
        self.scene.run("server", ["nft", NAT])
        self.assert_finishes()


if __name__ == "__main__":
    main()
