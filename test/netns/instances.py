#!/usr/bin/python3
"""Coming and going: what an instance leaves behind (nothing), and how several live side by side."""

from __future__ import annotations

import json
import os
import pathlib
import pty
import signal
import socket
import subprocess
import struct
import time
import unittest
from collections.abc import Iterator

from scene import BPF_TCX_INGRESS, Acceptor, Scene, echo_once, main, query_programs, receive_exactly, tool, until
from stage import pids_in

PORT = 7000
FAREWELL = 3.5  # seconds: three, and what detaching takes


def left_behind(scene: Scene, ns: str = "server") -> list[object]:
    """Programs, pins, files and packet filter tables of an instance of that namespace."""
    inode = scene.path(ns).stat().st_ino
    places = (pathlib.Path("/sys/fs/bpf/vestibule"), pathlib.Path("/run/vestibule"))
    tables = [line for line in scene.run(ns, ["nft", "list", "tables"]).stdout.splitlines() if "vestibule" in line]
    return [*scene.attached(ns), *(file for place in places for file in place.glob(f"{inode}-*")), *tables]


ALONE = """\
mount -t tmpfs none /run
while umount /sys/fs/bpf 2> /dev/null; do :; done
"$@" || exit
echo left: $(ls -A /run /sys/fs/bpf | grep vestibule)
"""


def is_called(name: str, pid: int) -> bool:
    return pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == name


NETLINK_NETFILTER = 12
NFT_CHANGES = 1 << 6  # the group NFNLGRP_NFTABLES
NFT_DELETED_TABLE = 10 << 8 | 2


def message_types(datagram: bytes) -> Iterator[int]:
    """Of the netlink messages in it."""
    while datagram:
        length, kind = struct.unpack_from("=IH", datagram)
        yield kind
        datagram = datagram[length + 3 & ~3:]


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

    def test_the_end_of_the_terminal_while_serving_leaves_nothing(self) -> None:
        self.serving()
        self.ends(signal.SIGHUP, FAREWELL)
        self.echo()

    def test_under_nohup_it_outlives_the_terminal(self) -> None:
        adaptor = self.scene.spawn("server", ["nohup", *self.scene.vestibule_words("eth0")])
        adaptor.wait_for("^ready$", 30)
        adaptor.signal(signal.SIGHUP)
        self.assertFalse(until(lambda: not adaptor.running(), 1))
        self.assertEqual(self.scene.status("server")["instance"], "default")

    def test_ctrl_c_while_it_starts_leaves_nothing(self) -> None:
        self.scene.adaptor = self.scene.spawn("server", self.scene.vestibule_words("eth0"))
        self.assertTrue(until(lambda: left_behind(self.scene) != [], 10, pause=0.001))
        self.scene.adaptor.signal(signal.SIGINT)
        self.assertEqual(self.scene.adaptor.wait(30), 0)
        self.assertEqual(left_behind(self.scene), [])

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

    def wait_until_a_table_goes(self, rules: socket.socket) -> None:
        while NFT_DELETED_TABLE not in message_types(rules.recv(1 << 16)):
            pass

    def test_the_rule_of_ours_goes_after_the_handoff_that_relies_on_it(self) -> None:
        self.scene.run("server", ["nft", "table ip nat { chain pre { type nat hook prerouting priority dstnat ; } ; }"])
        self.listen()
        adaptor = self.scene.adapt()
        self.scene.wait_until_served(PORT)
        (link,) = json.loads(self.scene.ip("server", "-j link show eth0"))
        with self.scene.inside("server"), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as rules:
            rules.bind((0, NFT_CHANGES))
            rules.settimeout(10)
            self.assertEqual(len(query_programs(link["ifindex"], BPF_TCX_INGRESS)), 1)
            adaptor.signal(signal.SIGTERM)
            self.wait_until_a_table_goes(rules)
            self.assertEqual(query_programs(link["ifindex"], BPF_TCX_INGRESS), [])
        self.assertEqual(adaptor.wait(10), 0)

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
        told = self.scene.run("server", [tool("cli/vestibule"), "status", "--instance", "second", "--json"]).stdout
        self.assertEqual(json.loads(told)["instance"], "second")
        self.assertEqual([interface["name"] for interface in json.loads(told)["interfaces"]], ["eth1"])
        self.assertEqual(json.loads(told)["counters"]["admitted"], 1)
        self.assertEqual(second.stop(), 0)
        self.assertTrue(until(lambda: len(self.scene.attached("server")) == 2, 2))  # two more while the first rehearses

    # --- What it runs under -------------------------------------------------------------------------------------------

    def test_a_service_manager_is_told_of_beginning_and_end(self) -> None:
        """As sd_notify(3) has it."""
        told = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        told.bind(str(self.scene.directory / "notify"))
        told.settimeout(10)
        adaptor = self.scene.adapt(env={"NOTIFY_SOCKET": told.getsockname()})
        self.assertEqual(told.recv(64), b"READY=1")
        adaptor.signal(signal.SIGTERM)
        self.assertEqual(told.recv(64), b"STOPPING=1")
        self.assertEqual(adaptor.wait(10), 0)

    def live_line(self) -> bytes:
        """What it prints on a terminal, until it shows the rates."""
        terminal, its = pty.openpty()
        self.addCleanup(os.close, terminal)
        with subprocess.Popen(
                ["nsenter", f"--net={self.scene.path('server')}", "--", *self.scene.vestibule_words("eth0")],
                stdin=subprocess.DEVNULL, stdout=its, stderr=its) as adaptor:
            os.close(its)
            printed = b""
            while b"bad cookies/s" not in printed:
                printed += os.read(terminal, 4096)
            adaptor.terminate()
            self.assertEqual(adaptor.wait(10), 0)
        return printed

    def test_rates_are_shown_on_a_terminal(self) -> None:
        self.assertRegex(self.live_line(), rb"(?s)eth0: XDP \w+\r\nready\r\n.*"
                                           rb"\r\033\[K0 SYN/s answered, 0 connections/s admitted, 0 bad cookies/s")

    def test_rates_are_not_shown_elsewhere(self) -> None:
        adaptor = self.scene.adapt()
        time.sleep(2.5)  # they would come every second
        self.assertEqual(adaptor.text(), "eth0: XDP native\nready\n")

    def test_nothing_is_left_of_the_last_instance_and_bpffs_is_mounted_for_the_first(self) -> None:
        """Where there is neither: with a /run of its own, and without a BPF file system."""
        script = self.scene.directory / "alone.sh"
        script.write_text(ALONE)
        alone = self.scene.spawn("server", ["unshare", "--mount", "bash", script, *self.scene.vestibule_words("eth0")])
        alone.wait_for("^ready$", 30)
        (adaptor,) = [pid for pid in pids_in(self.scene.path("server").name) if is_called("vestibule", pid)]
        here = pathlib.Path(f"/proc/{adaptor}/root")
        self.assertIn("/sys/fs/bpf bpf ", pathlib.Path(f"/proc/{adaptor}/mounts").read_text())
        self.assertEqual(len(list((here / "sys/fs/bpf/vestibule").iterdir())), 1)
        self.assertEqual(len(list((here / "run/vestibule").iterdir())), 1)
        os.kill(adaptor, signal.SIGTERM)
        self.assertEqual(alone.wait(10), 0)
        self.assertEqual(alone.text().splitlines()[-1], "left:")


if __name__ == "__main__":
    main()
