#!/usr/bin/python3
"""It never makes a working server unreachable: where its replies would be lost, or where the host refuses what it
hands over, it notices by itself, steps back, and says so."""

from __future__ import annotations

import dataclasses
import signal
import socket
import time
import typing
import unittest

from peer import Options, Wire, peers_of
from scene import Acceptor, Scene, echo_once, main, receive_exactly, until

PORT = 7000
PATIENCE = 3  # refusals in a row, after which the datapath leaves a listener to the stack (bpf/vitals.hpp)
AFTERWARDS = 10


class Ordinary(unittest.TestCase):
    """The ordinary container: a veth whose other end runs no XDP program. In native mode its driver takes every reply
    and loses it."""

    def setUp(self) -> None:
        self.scene = self.enterContext(Scene())
        self.acceptor = Acceptor(self.scene.listen(PORT, 6), echo_once)
        self.addCleanup(self.acceptor.close)

    def mode(self) -> str:
        (interface,) = typing.cast(list[dict[str, str]], self.scene.status("server")["interfaces"])
        return interface["xdp_mode"]

    def assert_served(self) -> None:
        self.scene.wait_until_served(PORT)
        with self.scene.growth() as grown:
            for family in (4, 6):
                with self.scene.connect(PORT, family, timeout=0.9) as connection:  # before a SYN is sent again
                    connection.sendall(b"hello")
                    self.assertEqual(receive_exactly(connection, 5), b"hello")
        self.assertEqual((grown["syn_answered"], grown["admitted"], grown["reply_lost"]), (2, 2, 0))

    def test_auto_serves_in_generic_mode_and_says_so(self) -> None:
        adaptor = self.scene.vestibule("server", "eth0", "--xdp", "auto")
        self.assertRegex(adaptor.text(), r"(?m)^eth0: XDP generic\b")
        self.assertEqual(self.mode(), "generic")
        self.assert_served()

    def test_generic_serves_when_asked_for(self) -> None:
        adaptor = self.scene.vestibule("server", "eth0", "--xdp", "generic")
        self.assertRegex(adaptor.text(), r"(?m)^eth0: XDP generic\b")
        self.assertEqual(self.mode(), "generic")
        self.assert_served()

    def test_native_is_refused_with_one_clear_line(self) -> None:
        adaptor = self.scene.spawn("server", self.scene.vestibule_words("eth0", "--xdp", "native"))
        self.assertNotIn(adaptor.wait(10), (0, None))
        self.assertRegex(adaptor.text(), r"\A[^\n]*eth0: [^\n]*native[^\n]*--xdp (auto|generic)[^\n]*\n\Z")
        self.assertEqual(self.scene.attached("server"), [])
        with self.scene.connect(PORT, 4) as connection:
            connection.sendall(b"hello")
            self.assertEqual(receive_exactly(connection, 5), b"hello")

    def test_native_that_begins_to_lose_replies_ends_with_one_clear_line(self) -> None:
        """And leaves the host to itself."""
        taking = self.scene.pass_frames("client", "eth0")
        adaptor = self.scene.vestibule("server", "eth0", "--xdp", "native")
        self.scene.wait_until_served(PORT)
        taking.stop()
        with self.scene.connect(PORT, 4, timeout=5) as connection:  # its first SYN is answered, and the answer lost
            connection.sendall(b"hello")
            self.assertEqual(receive_exactly(connection, 5), b"hello")
        self.assertNotIn(adaptor.wait(10), (0, None))
        self.assertRegex(adaptor.text(), r"(?m)^vestibule: eth0: in native mode [^\n]*loses [^\n]*--xdp auto")
        self.assertEqual(self.scene.attached("server"), [])

    def test_native_serves_where_the_other_end_takes_frames(self) -> None:
        self.scene.pass_frames("client", "eth0")
        for wish in ("native", "auto"):
            adaptor = self.scene.vestibule("server", "eth0", "--xdp", wish)
            self.assertRegex(adaptor.text(), r"(?m)^eth0: XDP native\b")
            self.assertEqual(self.mode(), "native")
            self.assert_served()
            adaptor.popen.kill()
            adaptor.wait()

    def test_a_way_that_begins_to_lose_replies_is_noticed(self) -> None:
        """The other end's program goes away while we serve."""
        taking = self.scene.pass_frames("client", "eth0")
        adaptor = self.scene.vestibule("server", "eth0", "--xdp", "auto")
        self.assertEqual(self.mode(), "native")
        self.assert_served()
        taking.stop()
        with self.scene.growth() as grown:
            with self.scene.connect(PORT, 4, timeout=5) as connection:  # the first SYN-ACK is lost
                connection.sendall(b"hello")
                self.assertEqual(receive_exactly(connection, 5), b"hello")
            self.assertTrue(until(lambda: self.mode() == "generic", 2))
        self.assertGreater(grown["reply_lost"], 0)
        self.assertRegex(adaptor.text(), r"(?m)^warning: eth0: .*generic")
        self.assert_served()


class OneOfTwo(unittest.TestCase):
    """Two interfaces served. The driver of the first loses replies without an error: they are four bytes longer than the
    SYNs (the MSS option), and the other end's MTU leaves no room for these. A priority tag makes the SYNs as long as they
    can be."""

    def setUp(self) -> None:
        self.scene = self.enterContext(Scene())
        self.acceptor = Acceptor(self.scene.listen(PORT, 6), echo_once)
        self.addCleanup(self.acceptor.close)
        self.scene.veth("client", "eth1", "server", "eth1")
        self.scene.pass_frames("client", "eth1")

    def lose(self, seconds: float = 2.5) -> None:
        """For longer than the losses are watched at a time."""
        self.scene.ip("client", "link set eth0 mtu 68")
        wire = Wire(self.scene)
        self.addCleanup(wire.close)
        options: Options = [("SAckOK", b""), ("WScale", 7)]
        until_then = time.monotonic() + seconds
        while time.monotonic() < until_then:
            wire.send(dataclasses.replace(peer, vlan=0).syn(options) for peer in peers_of(wire, PORT, 20, 6))
            time.sleep(0.2)

    def modes(self) -> dict[str, str]:
        interfaces = typing.cast(list[dict[str, str]], self.scene.status("server")["interfaces"])
        return {interface["name"]: interface["xdp_mode"] for interface in interfaces}

    def test_the_other_stays_in_native_mode(self) -> None:
        adaptor = self.scene.adapt("--interface", "eth1")
        self.scene.wait_until_served(PORT)
        self.assertEqual(self.modes(), {"eth0": "native", "eth1": "native"})
        with self.scene.growth() as grown:
            self.lose()
            self.assertTrue(until(lambda: self.modes()["eth0"] == "generic", 5))
        self.assertGreater(grown["reply_lost"], 8)
        self.assertEqual(self.modes()["eth1"], "native")
        warned = [line for line in adaptor.text().splitlines() if line.startswith("warning: eth")]
        self.assertEqual(len(warned), 1)
        self.assertRegex(warned[0], "eth0: its driver loses .*; generic mode from now on")

    def test_where_native_was_asked_for_it_is_named_and_all_goes_back_to_the_stack(self) -> None:
        adaptor = self.scene.adapt("--interface", "eth1", "--xdp", "native")
        self.scene.wait_until_served(PORT)
        self.lose()
        self.assertNotEqual(adaptor.wait(10), 0)
        self.assertRegex(adaptor.text(), r"(?m)^vestibule: eth0: in native mode its driver loses .*--xdp auto")
        self.assertEqual(self.scene.attached("server"), [])


class RefusedHandoff(unittest.TestCase):
    """A host that resets what it is handed: it does, without a word, when tcp_syncookies becomes 0 after the start."""

    def setUp(self) -> None:
        self.scene = self.enterContext(Scene())
        for port in (PORT, PORT + 1):
            acceptor = Acceptor(self.scene.listen(port, 6), echo_once)
            self.addCleanup(acceptor.close)
        self.adaptor = self.scene.adapt()
        self.scene.wait_until_served(PORT)
        self.scene.wait_until_served(PORT + 1)
        self.assertTrue(self.works(PORT, 4))
        self.scene.sysctl("server", "net.ipv4.tcp_syncookies", 0)

    def works(self, port: int, family: int) -> bool:
        try:
            with self.scene.connect(port, family, timeout=3) as connection:
                connection.sendall(b"hello")
                return receive_exactly(connection, 5) == b"hello"
        except (ConnectionError, socket.timeout):
            return False

    def is_given_up(self, port: int, family: int) -> bool:
        endpoint = self.scene.endpoint(port, family)
        return endpoint is not None and "refused handed-over connections" in endpoint.get("why", "")

    def failures(self, family: int) -> int:
        """How many connections are lost until the listener is given up; after that none is."""
        lost, deadline = 0, time.monotonic() + 20
        while not self.is_given_up(PORT, family):
            lost += not self.works(PORT, family)
            self.assertLessEqual(lost, 2 * PATIENCE, "the refusals go unnoticed")
            self.assertLess(time.monotonic(), deadline, "nothing is ever refused for good")
            time.sleep(0.04)
        for _ in range(AFTERWARDS):
            self.assertTrue(self.works(PORT, family))
        return lost

    def test_it_is_noticed_within_a_few_connections(self) -> None:
        for family in (4, 6):
            with self.scene.growth() as grown:
                lost = self.failures(family)
            print(f"IPv{family}: {lost} connections were lost")
            # What made the host refuse looks like a change of the packet filter, which earns one more chance.
            self.assertIn(lost, (PATIENCE, 2 * PATIENCE))
            self.assertEqual(grown["handoff_refused"], lost)
            self.assertGreaterEqual(grown["left_to_stack"], AFTERWARDS)

    def test_it_is_said_loudly_and_once(self) -> None:
        self.failures(4)
        said = [line for line in self.adaptor.text().splitlines() if line.startswith("error: ")]
        self.assertEqual(len(said), 1)
        self.assertIn(f"{self.scene.server.v4}:{PORT}", said[0])

    def test_only_that_listener_is_left_to_the_stack(self) -> None:
        self.failures(4)
        self.assertEqual(self.scene.endpoint(PORT + 1, 4)["state"], "served")  # type: ignore[index]

    def test_it_is_noticed_though_the_daemon_is_gone(self) -> None:
        """The datapath leaves the listener to the stack by itself."""
        self.adaptor.signal(signal.SIGKILL)
        self.adaptor.wait()
        self.assertEqual([self.works(PORT, 4) for _ in range(PATIENCE)], PATIENCE * [False])
        for _ in range(AFTERWARDS):
            self.assertTrue(self.works(PORT, 4))

    def test_it_stays_so_though_the_stack_still_answers_rehearsals(self) -> None:
        self.failures(4)
        self.scene.address("server", "eth0", "10.77.0.99/24")  # asks for everything to be rehearsed
        time.sleep(0.5)
        self.assertTrue(self.is_given_up(PORT, 4))
        self.assertTrue(self.works(PORT, 4))


if __name__ == "__main__":
    main()
