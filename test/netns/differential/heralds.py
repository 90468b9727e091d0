"""Echo requests behind other frames: a host receives frames in their order, so that who hears the echo has heard all
there was to hear."""

from __future__ import annotations

import dataclasses
import ipaddress
import pathlib
import socket
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from packets import Packet, checksum  # noqa: E402

REQUEST, REPLY = b"\x08", b"\0"
NAME = 9077  # of the pinging process, as it were


@dataclasses.dataclass
class Herald:
    source: str  # nobody's, on the link itself
    target: str
    number: int = 0  # of the last request

    def request(self) -> bytes:
        """One more packet."""
        self.number = (self.number + 1) % 2**16
        body = REQUEST + struct.pack("!xHHH", 0, NAME, self.number)
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 7, 0x4000, 64, socket.IPPROTO_ICMP, 0)
        ip += b"".join(ipaddress.ip_address(each).packed for each in (self.source, self.target))
        return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + body

    def hears(self, packet: Packet) -> bool:
        """Whether this answers the last request."""
        return (packet.protocol == socket.IPPROTO_ICMP and packet.body[:1] == REPLY
                and packet.body[4:8] == struct.pack("!HH", NAME, self.number))
