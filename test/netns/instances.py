#!/usr/bin/python3
"""Coming and going: what an instance leaves behind (nothing), and how several live side by side."""

from __future__ import annotations

import pathlib
import signal
import time
import unittest

from scene import Acceptor, Scene, echo_once, main, receive_exactly, until

PORT = 7000
FAREWELL = 4.5  # seconds: three, and what detaching takes on a busy machine


def left_behind(scene: Scene, ns: str = "server") -> list[object]:
    """Programs, pins, files and packet filter tables of an instance of that namespace."""
    inode = scene.path(ns).stat().st_ino
    places = (pathlib.Path("/sys/fs/bpf/vestibule"), pathlib.Path("/run/vestibule"))
    tables = [line for line in scene.run(ns, ["nft", "list", "tables"]).stdout.splitlines() if "vestibule" in line]
    return [*scene.attached(ns), *(file for place in places for file in place.glob(f"{inode}-*")), *tables]


class Instances(unittest.TestCase):
    def setUp(self) -> None:
        self.scene = self.enterContext(Scene())

    def listen(self, ns: str = "server") -> Acceptor:
        acceptor = Acceptor(self.scene.listen(PORT, 6, ns=ns), echo_once)
        self.addCleanup(acceptor.close)
        return acceptor

    def echo(self, family: int = 4) -> None:
        with self.scene.connect(PORT, family) as connection:
            connection.sendall(b"hello")
            self.assertEqual(receive_exactly(connection, 5), b"hello")

    def ends(self, number: signal.Signals, within: float) -> None:
        adaptor = self.scene.adaptor
        assert adaptor is not None
        self.assertNotEqual(left_behind(self.scene), [])
        started = time.monotonic()
        adaptor.signal(number)
        self.assertEqual(adaptor.wait(10), 0)
        print(f"gone after {time.monotonic() - started:.2f} s")
        self.assertLess(time.monotonic() - started, within)
        self.assertEqual(left_behind(self.scene), [])

    def serving(self) -> None:
        self.listen()
        self.scene.adapt()
        self.scene.wait_until_served(PORT)
        with self.scene.growth() as grown:
            self.echo()
        self.assertEqual(grown["admitted"], 1)

    def test_ctrl_c_while_serving_leaves_nothing(self) -> None:
        self.serving()
        self.ends(signal.SIGINT, FAREWELL)
        self.echo()

    def test_sigterm_while_serving_leaves_nothing(self) -> None:
        self.serving()
        self.ends(signal.SIGTERM, FAREWELL)
        self.echo()

    def test_sigterm_where_nobody_came_is_quick(self) -> None:
        self.listen()
        self.scene.adapt()
        self.scene.wait_until_served(PORT)
        self.ends(signal.SIGTERM, 1.5)

    def test_nothing_is_left_where_nat_asked_for_a_rule_of_ours(self) -> None:
        self.scene.run("server", ["nft", "table ip nat { chain pre { type nat hook prerouting priority dstnat ; } ; }"])
        self.serving()
        self.assertIn("table inet vestibule_default", left_behind(self.scene))
        self.ends(signal.SIGTERM, FAREWELL)

    def second_link(self) -> None:
        """One more link between client and server, with a neighbour to rehearse with."""
        self.scene.veth("client", "eth1", "server", "eth1")
        self.scene.address("server", "eth1", "10.82.0.2/24")
        self.scene.address("client", "eth1", "10.82.0.1/24")
        near = self.scene.link("client", "eth1")
        self.scene.ip("server", f"neigh replace 10.82.0.1 lladdr {near} dev eth1 nud permanent")
        self.scene.pass_frames("client", "eth1")

    def echo_over_second_link(self) -> None:
        with self.scene.socket("client") as connection:
            connection.connect(("10.82.0.2", PORT))
            connection.sendall(b"hello")
            self.assertEqual(receive_exactly(connection, 5), b"hello")

    def test_one_instance_serves_two_interfaces(self) -> None:
        self.listen()
        self.second_link()
        adaptor = self.scene.adapt("--interface", "eth1")
        self.assertRegex(adaptor.text(), r"(?m)^eth0: XDP native\n(?:.*\n)*eth1: XDP native\n(?:.*\n)*ready\n")
        self.scene.wait_until_served(PORT)
        with self.scene.growth() as grown:
            self.echo()
            self.echo_over_second_link()
        self.assertEqual(grown["admitted"], 2)
        self.ends(signal.SIGTERM, FAREWELL)

    def test_secrets_are_for_root_alone_and_never_told(self) -> None:
        self.serving()
        inode = self.scene.path("server").stat().st_ino
        (folder,) = pathlib.Path("/run/vestibule").glob(f"{inode}-*")
        secret = (folder / "secret").read_bytes()
        self.assertGreaterEqual(len(secret), 16)
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
        self.assertEqual({file.stat().st_mode & 0o077 for file in folder.iterdir()}, {0})
        assert self.scene.adaptor is not None
        told = self.scene.adaptor.text() + str(self.scene.status("server"))
        for start in range(0, len(secret) - 4, 4):
            self.assertNotIn(secret[start:start + 4].hex(), told)

    def test_two_instances_in_two_namespaces_with_equal_interface_names(self) -> None:
        self.listen("server")
        self.listen("client")
        one = self.scene.vestibule("server", "eth0")  # each has an XDP program now, so each takes the other's frames
        other = self.scene.vestibule("client", "eth0")
        self.assertIn("eth0: XDP", one.text())
        self.assertIn("eth0: XDP", other.text())
        self.scene.wait_until_served(PORT)
        before = {ns: self.scene.counters(ns) for ns in ("client", "server")}
        for family in (4, 6):
            self.echo(family)
            with self.scene.socket("server", family) as connection:
                connection.connect((self.scene.client.address(family), PORT))
                connection.sendall(b"hello")
                self.assertEqual(receive_exactly(connection, 5), b"hello")
        for ns, counters in before.items():
            self.assertEqual(self.scene.counters(ns)["admitted"] - counters["admitted"], 2, ns)
        self.assertEqual(one.stop(), 0)
        self.assertEqual(left_behind(self.scene, "server"), [])
        self.assertIn("eth0: XDP adaptor", self.scene.attached("client"))  # the other lives on
        self.assertEqual(self.scene.status("client")["instance"], "default")
        self.assertEqual(other.stop(), 0)
        self.assertEqual(left_behind(self.scene, "client"), [])

    def test_two_instances_in_one_namespace_on_two_interfaces(self) -> None:
        self.listen()
        self.second_link()
        self.scene.adapt()
        second = self.scene.vestibule("server", "eth1", "--instance", "second")
        self.scene.wait_until_served(PORT)
        with self.scene.growth() as grown:
            self.echo()
            self.echo_over_second_link()
        self.assertEqual(grown["admitted"], 1)  # the other is the second's
        self.assertEqual(second.stop(), 0)
        self.assertTrue(until(lambda: len(self.scene.attached("server")) == 2, 2))  # two more while the first rehearses


if __name__ == "__main__":
    main()
