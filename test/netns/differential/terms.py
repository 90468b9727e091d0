"""What a connected socket does not tell, though what is to be expected of it depends on it."""

from __future__ import annotations

import functools
import re
import socket
import typing

from handed_over import MAX_TCP_WINDOW, UNLIMITED, Room, mss_handed_over
from listeners import SOL, TCP, Host
from pair import Setting
from scene import Scene


def terms(scene: Scene, setting: Setting, listener: socket.socket, offered: int, family: int) -> dict[str, typing.Any]:
    """Of a handshake with one of the setting's listeners. `offered`: the MSS of the peer's SYN."""
    most = typing.cast(int, setting.listener.told(TCP, socket.TCP_MAXSEG) or UNLIMITED)
    left = mss_handed_over(offered, most, family)
    return {"family": family, "MSS": min(offered, most), "MSS handed over": left,
            "room": room_of(listener, setting.host), "first send buffer": first_send_buffer(scene, left)}


def room_of(listener: socket.socket, host: Host) -> Room:
    """tcp_openreq_init_rwin."""
    full = listener.getsockopt(SOL, socket.SO_RCVBUF) // 2  # tcp_full_space, of a socket that has received nothing
    asked = listener.getsockopt(TCP, socket.TCP_WINDOW_CLAMP) if listener.proto != socket.IPPROTO_MPTCP else 0
    clamp = asked or metric("window", host) or full
    signed = host.sysctls.get("net.ipv4.tcp_workaround_signed_windows")
    return Room(min(full, clamp), metric("initrwnd", host), MAX_TCP_WINDOW if signed else UNLIMITED)


def metric(name: str, host: Host) -> int:
    """Of the host's routes; 0: none."""
    found = re.search(rf"\b{name} (\d+)", " ".join(host.commands))
    return int(found[1]) if found else 0


@functools.cache
def first_send_buffer(scene: Scene, size: int) -> str:
    """tcp_sndbuf_expand, by example: what this kernel gives a connection whose peer takes segments of that size."""
    with scene.listen(0, address="127.0.0.1", ns="client") as listener, scene.socket("client") as near:
        near.setsockopt(TCP, socket.TCP_MAXSEG, size)
        near.connect(listener.getsockname())
        with listener.accept()[0] as far:
            return str(far.getsockopt(SOL, socket.SO_SNDBUF))
