#!/usr/bin/python3
"""A path of some length: carries packets between two namespaces, each the given time late.

    relay.py NAMESPACE INTERFACE NAMESPACE INTERFACE MILLISECONDS

makes the two (TUN) interfaces, prints `ready`, and goes on until it is ended.
"""

from __future__ import annotations

import collections
import ctypes
import fcntl
import os
import selectors
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000


def tun(namespace: str, interface: str) -> int:
    """A TUN interface of that namespace; packets are read from and written to what is returned."""
    there = os.open(namespace, os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(there, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", interface.encode(), IFF_TUN | IFF_NO_PI))
    return device


def carry(ends: tuple[int, int], delay: float) -> None:
    late: collections.deque[tuple[float, int, bytes]] = collections.deque()
    ready = selectors.DefaultSelector()
    for end, other in (ends, ends[::-1]):
        ready.register(end, selectors.EVENT_READ, other)
    while True:
        wait = late[0][0] - time.monotonic() if late else None
        for key, _ in ready.select(wait):
            late.append((time.monotonic() + delay, key.data, os.read(key.fd, 65536)))
        while late and late[0][0] <= time.monotonic():
            _, other, packet = late.popleft()
            os.write(other, packet)


def main() -> None:
    one_ns, one, other_ns, other, milliseconds = sys.argv[1:]
    ends = tun(one_ns, one), tun(other_ns, other)
    print("ready", flush=True)
    carry(ends, float(milliseconds) / 1000)


if __name__ == "__main__":
    main()
