#!/usr/bin/python3
"""What an instance lives in and lives under, and how several live side by side."""

from __future__ import annotations

import json
import os
import pathlib
import pty
import signal
import socket
import subprocess
import time

from instance import FAREWELL, PORT, InstanceTest, left_behind
from scene import main, receive_exactly, tool, until
from leftovers import pids_in

ALONE = """\
mount -t tmpfs none /run
while umount /sys/fs/bpf 2> /dev/null; do :; done
"$@" || exit
echo left: $(ls -A /run /sys/fs/bpf | grep vestibule)
"""


def is_called(name: str, pid: int) -> bool:
    return pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == name


class Instances(InstanceTest):
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
