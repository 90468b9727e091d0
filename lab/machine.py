#!/usr/bin/env python3
"""Runs tests under another kernel: ./run vm [TEST...]

       this system                                          the virtual machine
      +------------------------------------------+         +------------------------------------------+
      |  /  (read-only to the guest)  virtiofsd  |---------|  /   the same files                      |
      |                                          |         |  lab/guest: modules, tmpfs, the tests    |
      |  what the guest prints            qemu   |---------|  serial line                             |
      +------------------------------------------+         +------------------------------------------+

The kernel that runs here may lack what a test needs (VLAN interfaces, VRF, DCTCP). The machine has no network, two
processors and the file system of this system. It is emulated, and some ten times slower, of which VESTIBULE_PATIENCE tells
the tests; with --kvm it is not. (A /dev/kvm may be there and not do, as in a virtual machine.)
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence

from kernel import Kernel, kernel
from process import BUILD, ROOT, StageError, until

# Emulated, cmpxchg16b and five-level paging are broken in some versions of QEMU; and a virtual machine within another may not
# be given what the processor says of its own weaknesses. No kernel needs them here.
PROCESSOR = "max,cx16=off,la57=off,arch-capabilities=off"
MEMORY = "3G"
PATIENCE = 8
LONGEST = 1200  # seconds: a machine that stands still ends, too
VIRTIOFSD = ("/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd")
DEFAULT = ("netns.vlan_interface", "netns.differential.vrf", "netns.differential.dctcp")
LAST_WORD = re.compile(r"^guest: (\d+) passed, (\d+) failed, (\d+) skipped\s*$")


def test_file(name: str) -> pathlib.Path:
    """netns.rehearsal.answers: test/netns/rehearsal/answers.py"""
    path = ROOT / "test" / pathlib.Path(*name.split(".")).with_suffix(".py")
    if not name.startswith("netns.") or not path.exists():
        raise StageError(f"no test file is called '{name}'; try netns.vlan_interface")
    return path


def file_server(socket: pathlib.Path) -> list[str]:
    program = next((each for each in VIRTIOFSD if os.access(each, os.X_OK)), None)
    if not program:
        raise StageError("virtiofsd is not there")
    shared = ["-o", "source=/", "-o", "sandbox=chroot", "-o", "cache=always"] if "qemu" in program else \
        ["--shared-dir=/", "--sandbox=chroot", "--cache=always"]
    return [program, f"--socket-path={socket}", *shared]


def guest_words(booted: Kernel, tests: Sequence[pathlib.Path], kvm: bool) -> str:
    """The kernel's command line; what stands behind the two dashes is for lab/guest."""
    patience = 1 if kvm else PATIENCE
    words = ["root=root", "rootfstype=virtiofs", "ro", "console=ttyS0", "quiet", "panic=-1", "mitigations=off",
             f"init={ROOT}/lab/guest", "--", booted.root, BUILD, patience, *(each.relative_to(ROOT) for each in tests)]
    return " ".join(map(str, words))


def machine(booted: Kernel, socket: pathlib.Path, tests: Sequence[pathlib.Path], kvm: bool) -> list[str]:
    how = ["-accel", "kvm"] if kvm else ["-accel", "tcg,thread=multi"]
    return ["qemu-system-x86_64", *how, "-cpu", PROCESSOR, "-smp", "2", "-m", MEMORY,
            "-object", f"memory-backend-memfd,id=memory,size={MEMORY},share=on", "-numa", "node,memdev=memory",
            "-chardev", f"socket,id=files,path={socket}", "-device", "vhost-user-fs-pci,chardev=files,tag=root",
            "-kernel", str(booted.image), "-append", guest_words(booted, tests, kvm),
            "-nodefaults", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"]


def show(lines: Sequence[str] | object) -> re.Match[str] | None:
    """Prints what the guest prints; returns its last word, if it came to that."""
    last = None
    for line in lines:  # type: ignore[union-attr]
        last = LAST_WORD.match(line) or last
        print(line.rstrip(), flush=True)
    return last


def run(tests: Sequence[pathlib.Path], kvm: bool) -> bool:
    booted = kernel()
    print(f"Linux {booted.version} in a virtual machine{'' if kvm else ', emulated'}", flush=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="vestibule-machine-"))
    socket = directory / "files"
    with (directory / "log").open("wb") as log:
        files = subprocess.Popen(file_server(socket), stdout=log, stderr=log)
    try:
        if not until(socket.exists, 5):
            raise StageError(f"virtiofsd does not start: {(directory / 'log').read_text()}")
        with subprocess.Popen(machine(booted, socket, tests, kvm), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace") as guest:
            end = threading.Timer(LONGEST, guest.kill)
            end.start()
            try:
                last = show(guest.stdout)
            finally:
                end.cancel()
                guest.kill()
    finally:
        files.kill()
        files.wait()
        shutil.rmtree(directory)
    if last is None:
        raise StageError("the virtual machine ended before its tests did")
    return last[2] == "0" and last[1] != "0"


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs tests under another kernel, in a virtual machine.")
    parser.add_argument("tests", nargs="*", default=DEFAULT, metavar="TEST", help="such as %(default)s")
    parser.add_argument("--kvm", action="store_true", help="let KVM run it, some ten times faster, where that works")
    try:
        wish = parser.parse_args()
        if not run([test_file(name) for name in wish.tests], wish.kvm):
            sys.exit("vm: not everything passed: see above")
    except (StageError, subprocess.SubprocessError, OSError) as error:
        sys.exit(f"vm: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
