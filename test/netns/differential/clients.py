"""Clients that are kernels: what their sockets and hosts are set to when they connect."""

from __future__ import annotations

import dataclasses
import pathlib
import socket
import sys
from collections.abc import Mapping

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import sysctls  # noqa: E402
from scene import Scene  # noqa: E402

IP, V6, TCP, SOL = socket.IPPROTO_IP, socket.IPPROTO_IPV6, socket.IPPROTO_TCP, socket.SOL_SOCKET
SO_RCVBUFFORCE = 33
TCP_FASTOPEN_CONNECT = 30

USUAL = {"net.ipv4.tcp_timestamps": 1, "net.ipv4.tcp_sack": 1, "net.ipv4.tcp_window_scaling": 1, "net.ipv4.tcp_ecn": 2}


@dataclasses.dataclass(frozen=True)
class Client:
    name: str
    sysctls: Mapping[str, int] = dataclasses.field(default_factory=dict)
    options: tuple[tuple[int, int, int], ...] = ()
    protocol: int = 0

    def settle(self, scene: Scene) -> None:
        sysctls.write(scene, "client", {**USUAL, **self.sysctls})

    def prepare(self, made: socket.socket) -> None:
        for level, option, value in self.options:
            if level != V6 or made.family == socket.AF_INET6:
                made.setsockopt(level, option, value)

    def told(self, level: int, option: int) -> int | None:
        """What the option is set to; None: it is not."""
        return next((value for where, number, value in self.options if (where, number) == (level, option)), None)


def without(*names: str, **others: int) -> dict[str, int]:
    return {**{f"net.ipv4.tcp_{name}": 0 for name in names}, **{f"net.ipv4.tcp_{k}": v for k, v in others.items()}}


CLIENTS = [
    Client("usual"),
    Client("no timestamps", without("timestamps")),
    Client("ECN", without(ecn=1)),
    Client("no timestamps, ECN", without("timestamps", ecn=1)),
    Client("no SACK", without("sack")),
    Client("no window scaling", without("window_scaling")),
    Client("no options", without("timestamps", "sack", "window_scaling")),
    Client("TCP_MAXSEG 536", options=((TCP, socket.TCP_MAXSEG, 536),)),
    Client("TCP_MAXSEG 1220", options=((TCP, socket.TCP_MAXSEG, 1220),)),
    Client("TCP_MAXSEG 1400", options=((TCP, socket.TCP_MAXSEG, 1400),)),
    Client("SO_RCVBUF 8192", options=((SOL, SO_RCVBUFFORCE, 8192),)),
    Client("SO_RCVBUF 4 MB", options=((SOL, SO_RCVBUFFORCE, 4 << 20),)),
    Client("TCP_WINDOW_CLAMP 9000", options=((TCP, socket.TCP_WINDOW_CLAMP, 9000),)),
    Client("TCP_NODELAY", options=((TCP, socket.TCP_NODELAY, 1),)),
    Client("TOS 0x48", options=((IP, socket.IP_TOS, 0x48), (V6, socket.IPV6_TCLASS, 0x48))),
    Client("Fast Open", options=((TCP, TCP_FASTOPEN_CONNECT, 1),)),
    Client("MPTCP", protocol=socket.IPPROTO_MPTCP),
]
