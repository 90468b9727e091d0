#!/usr/bin/python3
"""It never makes a working server unreachable: where its replies would be lost, or where the host refuses what it
hands over, it notices by itself, steps back, and says so."""

from __future__ import annotations

import signal
import socket
import time
import typing
import unittest

from scene import Acceptor, Scene, echo_once, main, receive_exactly, until

PORT = 7000
FEW = 10  # connections
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
        with self.scene.connect(PORT, 4, timeout=5) as connection:  # the first SYN-ACK may be lost
            connection.sendall(b"hello")
            self.assertEqual(receive_exactly(connection, 5), b"hello")
        self.assertTrue(until(lambda: self.mode() == "generic", 2))
        self.assertRegex(adaptor.text(), r"(?m)^warning: eth0: .*generic")
        self.assert_served()


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
            self.assertLess(lost, 2 * FEW, "the refusals go unnoticed")
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
            self.assertGreater(lost, 0, "nothing was refused: nothing was shown")
            self.assertLessEqual(lost, FEW)
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
        lost = 0
        while not self.works(PORT, 4):
            lost += 1
            self.assertLessEqual(lost, FEW)
        self.assertGreater(lost, 0, "nothing was refused: nothing was shown")
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
