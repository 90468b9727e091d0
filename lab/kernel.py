"""A kernel to boot in a virtual machine: the one that Debian ships for those, fetched by name and unpacked below out/.

VESTIBULE_KERNEL names another one that is unpacked already: a directory with boot/vmlinuz-VERSION and
lib/modules/VERSION. It must have virtiofs and virtio over PCI built in.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import platform
import subprocess

from process import ROOT, StageError, command

HOME = ROOT / "out/kernel"
SUITES = {"debian-12": "bookworm-backports", "debian-13": "trixie"}  # with Linux 6.9 or later
PACKAGE = "linux-image-cloud-amd64"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclasses.dataclass(frozen=True)
class Kernel:
    root: pathlib.Path  # what stands in its package, from / on

    @property
    def image(self) -> pathlib.Path:
        return next((self.root / "boot").glob("vmlinuz-*"))

    @property
    def version(self) -> str:
        return self.image.name.removeprefix("vmlinuz-")


def kernel() -> Kernel:
    """The one named or fetched before, else fetched now."""
    if named := os.environ.get("VESTIBULE_KERNEL"):
        return unpacked(pathlib.Path(named))
    root = HOME / "root"
    if not any(root.glob("boot/vmlinuz-*")):
        unpack(fetch(), root)
    return unpacked(root)


def unpacked(root: pathlib.Path) -> Kernel:
    if not any(root.glob("boot/vmlinuz-*")):
        raise StageError(f"{root}/boot has no vmlinuz-VERSION")
    found = Kernel(root)
    if not (root / "lib/modules" / found.version / "modules.dep").exists():
        command(["depmod", "-b", root, found.version])
    return found


def unpack(package: pathlib.Path, root: pathlib.Path) -> None:
    command(["dpkg-deb", "-x", package, root])


# --- Fetching ---------------------------------------------------------------------------------------------------------

def fetch() -> pathlib.Path:
    """The package, by way of the mirror that this system gets its own packages from, without changing its sources."""
    apt = private_apt(suite())
    print(f"fetching {PACKAGE}", flush=True)
    command(["apt-get", *apt, "update"], timeout=300)
    depends = command(["apt-cache", *apt, "depends", PACKAGE])
    image = next(line.split()[-1] for line in depends.splitlines() if "Depends: linux-image-" in line)
    subprocess.run(["apt-get", "-q", *apt, "download", image], cwd=HOME, check=True, timeout=600, capture_output=True)
    return next(HOME.glob("linux-image-*.deb"))


def suite() -> str:
    release = platform.freedesktop_os_release()
    name = f"{release.get('ID')}-{release.get('VERSION_ID')}"
    if name not in SUITES or platform.machine() != "x86_64":
        raise StageError(f"no recipe for a second kernel on {name}, {platform.machine()}: set VESTIBULE_KERNEL "
                         "(see lab/kernel.py)")
    return SUITES[name]


def private_apt(wanted: str) -> list[str]:
    """Options that give apt lists and a cache of its own."""
    for directory in ("lists/partial", "cache/archives/partial"):
        (HOME / directory).mkdir(parents=True, exist_ok=True)
    sources = HOME / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror()} {wanted} main\n")
    places = {"Etc::SourceList": sources, "Etc::SourceParts": "/dev/null", "State::Lists": HOME / "lists",
              "Cache": HOME / "cache"}
    return [*(f"-oDir::{key}={value}" for key, value in places.items()), "-oAPT::Sandbox::User=root"]


def mirror() -> str:
    codename = platform.freedesktop_os_release()["VERSION_CODENAME"]
    found = command(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages",
                     f"Codename: {codename}"]).split()
    if not found:
        raise StageError("no package lists: run 'apt-get update' first")
    return found[0]
