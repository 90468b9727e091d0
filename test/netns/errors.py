#!/usr/bin/python3
"""What cannot be done is refused: one line on the standard error stream that says what to do, an exit status that is
not zero, and nothing left attached, pinned or lying about."""

from __future__ import annotations

import json
import os
import pathlib
import platform
import shutil
import struct
import subprocess
import tempfile
import unittest

from scene import Scene, main, tool

NOBODY = 65534


def foreign_btf() -> bytes:
    """Type information of a kernel that has nothing but `int`."""
    strings, types = b"\0int\0", struct.pack("=IIII", 1, 1 << 24, 4, 1 << 24 | 32)
    return struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings)) + types + strings


class Errors(unittest.TestCase):
    def setUp(self) -> None:
        self.scene = self.enterContext(Scene())
        self.program = tool("cli/vestibule")

    def run_it(self, *words: object, before: tuple[object, ...] = ()) -> subprocess.CompletedProcess[str]:
        return self.scene.run("server", [*before, self.program, *words], check=False, timeout=20)

    def assert_refused(self, pattern: str, *words: object, before: tuple[object, ...] = ()) -> str:
        """One line like that, a failure, and nothing left."""
        said = self.assert_failed(pattern, *words, before=before)
        self.assert_nothing_left()
        return said

    def assert_failed(self, pattern: str, *words: object, before: tuple[object, ...] = ()) -> str:
        done = self.run_it(*words, before=before)
        self.assertGreater(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, rf"\A[^\n]*(?:{pattern})[^\n]*\n\Z")
        self.assertNotIn("ready", done.stdout)
        return done.stderr

    def assert_nothing_left(self) -> None:
        inode = self.scene.path("server").stat().st_ino
        self.assertEqual(self.scene.attached("server"), [])
        for place in ("/sys/fs/bpf/vestibule", "/run/vestibule"):
            self.assertEqual(list(pathlib.Path(place).glob(f"{inode}-*")), [])

    def refused_run(self, pattern: str, *words: object, before: tuple[object, ...] = ()) -> str:
        return self.assert_refused(pattern, "run", "--interface", *words, before=before)

    # --- Privilege and kernel -----------------------------------------------------------------------------------------

    def reachable_copy(self) -> str:
        """The program where an ordinary user can reach it."""
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        folder.chmod(0o755)
        return shutil.copy(self.program, folder / "vestibule")

    def test_an_ordinary_user(self) -> None:
        self.program = self.reachable_copy()
        self.refused_run("root", "eth0", before=("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"))

    def test_an_ordinary_user_who_asks_for_the_status(self) -> None:
        self.program = self.reachable_copy()
        self.scene.adapt()
        before = ("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups")
        self.assert_failed("root|sudo", "status", before=before)

    def test_root_without_capabilities(self) -> None:
        """As in an ordinary container."""
        self.refused_run("CAP_BPF", "eth0", before=("setpriv", "--bounding-set=-all", "--inh-caps=-all"))

    def kernel_with(self, types: bytes) -> tuple[object, ...]:
        file = self.scene.directory / "btf"
        file.write_bytes(types)
        return ("unshare", "--mount", "sh", "-c", f'mount --bind {file} /sys/kernel/btf/vmlinux && exec "$@"', "sh")

    def test_a_kernel_that_cannot_take_over_connections(self) -> None:
        for types in (foreign_btf(), b""):
            said = self.refused_run(r"Linux 6\.9", "eth0", before=self.kernel_with(types))
            self.assertIn(platform.release(), said)

    def test_a_host_without_syn_cookies(self) -> None:
        self.scene.sysctl("server", "net.ipv4.tcp_syncookies", 0)
        self.refused_run(r"net\.ipv4\.tcp_syncookies=1", "eth0")

    # --- Interfaces ---------------------------------------------------------------------------------------------------

    def test_an_interface_that_is_not_there(self) -> None:
        self.refused_run("nosuch0: no such interface", "nosuch0")

    def test_one_of_two_interfaces_that_is_not_there(self) -> None:
        self.refused_run("nosuch0: no such interface", "eth0", "--interface", "nosuch0")

    def test_the_same_interface_twice(self) -> None:
        self.refused_run("eth0: .*more than once", "eth0", "--interface", "eth0")

    def test_the_loopback_interface(self) -> None:
        self.refused_run("lo: .*loopback", "lo")

    def test_interfaces_without_ethernet_frames(self) -> None:
        self.scene.ip("server", "tuntap add dev tun0 mode tun")
        self.scene.ip("server", "link set tun0 up")
        self.refused_run("tun0: .*no Ethernet header", "tun0")
        self.refused_run("tun0: .*no Ethernet header", "eth0", "--interface", "tun0")

    def test_an_interface_that_is_down(self) -> None:
        self.scene.ip("server", "link set eth0 down")
        self.refused_run("eth0: .*down.*ip link set dev eth0 up", "eth0")

    def occupied(self, *options: str) -> None:
        other = self.scene.pass_frames("server", "eth0")
        (link,) = json.loads(self.scene.ip("server", "-j -d link show eth0"))
        number = link["xdp"]["prog"]["id"]
        done = self.run_it("run", "--interface", "eth0", *options)
        self.assertGreater(done.returncode, 0)
        self.assertRegex(done.stderr, rf"\A[^\n]*eth0: [^\n]*pass_all[^\n]*\b{number}\b[^\n]*\n\Z")
        self.assertEqual(self.scene.attached("server"), ["eth0: XDP pass_all"])  # it is not touched
        self.assertTrue(other.running())
        other.stop()
        self.assert_nothing_left()

    def test_another_program_is_there(self) -> None:
        self.occupied()

    def test_another_program_is_there_and_generic_mode_is_asked_for(self) -> None:
        self.occupied("--xdp", "generic")

    def test_the_second_of_two_interfaces_is_occupied(self) -> None:
        """What was attached to the first goes again."""
        self.scene.veth("server", "eth1", "client", "eth1")
        self.scene.pass_frames("server", "eth1")
        done = self.run_it("run", "--interface", "eth0", "--interface", "eth1")
        self.assertGreater(done.returncode, 0)
        self.assertRegex(done.stderr, r"\A[^\n]*eth1: [^\n]*pass_all[^\n]*\n\Z")
        self.assertEqual(self.scene.attached("server"), ["eth1: XDP pass_all"])

    # --- Command line -------------------------------------------------------------------------------------------------

    def test_an_unknown_option(self) -> None:
        self.refused_run("--nosuch", "eth0", "--nosuch")
        self.assert_refused("--nosuch", "run", "--nosuch")  # rather than that --interface is missing

    def test_an_unknown_command(self) -> None:
        self.assert_refused("no such command: nosuch", "nosuch")

    def test_no_command(self) -> None:
        self.assert_refused("run, or status")

    def test_no_interface(self) -> None:
        self.assert_refused("--interface", "run")

    def test_a_missing_value(self) -> None:
        self.assert_refused("--interface wants a value", "run", "--interface")
        self.refused_run("--xdp wants a value", "eth0", "--xdp")

    def test_values_that_will_not_do(self) -> None:
        seconds = "--key-rotation: .*not in range .?1 .* 3600"
        for option, value, told in (("--xdp", "turbo", "--xdp: turbo not in .auto,generic,native."),
                                    ("--key-rotation", "0", seconds), ("--key-rotation", "soon", seconds),
                                    ("--instance", "../evil", "evil"), ("--instance", "", "name"),
                                    ("--instance", "a" * 40, "aaa")):
            with self.subTest(option=option, value=value):
                self.refused_run(told, "eth0", option, value)

    def test_status_where_nothing_runs(self) -> None:
        self.assert_refused("no vestibule instance 'default' runs", "status")
        self.assert_refused("no vestibule instance 'other' runs", "status", "--json", "--instance", "other")

    def test_a_second_instance_of_the_same_name(self) -> None:
        first = self.scene.adapt()
        done = self.run_it("run", "--interface", "eth0")
        self.assertGreater(done.returncode, 0)
        self.assertRegex(done.stderr, r"\A[^\n]*'default' runs already[^\n]*\n\Z")
        self.assertIn("eth0: XDP adaptor", self.scene.attached("server"))
        self.assertTrue(first.running())
        self.assertEqual(first.stop(), 0)
        self.assert_nothing_left()


if __name__ == "__main__":
    os.umask(0o022)
    main()
