"""TCP frames in plain bytes: made and read by the thousand, in all their oddities. (Where there are few, peer.py is
nicer to read.)"""

from __future__ import annotations

import dataclasses
import ipaddress
import socket
import struct

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = (1 << bit for bit in range(9))
FLAGS = "FSRPAUECN"
ETHERNET = 14


@dataclasses.dataclass(frozen=True)
class Segment:
    """A TCP segment and the little of IP that tests vary. Offsets and lengths are computed, and may be overridden."""

    source: str
    target: str
    ports: tuple[int, int]  # source and target
    flags: int  # with the reserved bits: twelve
    sequence: int
    acknowledgment: int = 0
    options: bytes = b""
    payload: bytes = b""
    window: int = 64240
    urgent: int = 0
    tos: int = 0
    ttl: int = 64
    dont_fragment: bool = True
    offset: int | None = None  # of the payload, in words
    damage: int = 0  # to the TCP checksum

    @property
    def family(self) -> int:
        return 6 if ":" in self.source else 4

    def packet(self) -> bytes:
        here, there = (ipaddress.ip_address(a).packed for a in (self.source, self.target))
        tcp = self._tcp(here + there)
        if self.family == 6:
            return struct.pack("!IHBB", 6 << 28 | self.tos << 20, len(tcp), 6, self.ttl) + here + there + tcp
        ip = struct.pack("!BBHHHBBH", 0x45, self.tos, 20 + len(tcp), 7, 0x4000 * self.dont_fragment, self.ttl, 6, 0)
        ip += here + there
        return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp

    def signed_part(self) -> bytes:
        """What an MD5 signature covers, but for the key: no options, no checksum (RFC 2385)."""
        here, there = (ipaddress.ip_address(a).packed for a in (self.source, self.target))
        tcp = self._tcp(here + there)
        pseudo = struct.pack("!II", len(tcp), 6) if self.family == 6 else struct.pack("!HH", 6, len(tcp))
        return here + there + pseudo + tcp[:16] + bytes(2) + tcp[18:20] + self.payload

    def _tcp(self, addresses: bytes) -> bytes:
        words = 5 + len(self.options) // 4 if self.offset is None else self.offset
        body = struct.pack("!HHIIHHHH", *self.ports, self.sequence % 2**32, self.acknowledgment % 2**32,
                           words << 12 | self.flags, self.window, 0, self.urgent) + self.options + self.payload
        pseudo = addresses + struct.pack("!II", len(body), socket.IPPROTO_TCP)
        return body[:16] + struct.pack("!H", checksum(pseudo + body) ^ self.damage) + body[18:]

    def frame(self, target_link: str, source_link: str) -> bytes:
        kind = b"\x86\xdd" if self.family == 6 else b"\x08\x00"
        return bytes.fromhex((target_link + source_link).replace(":", "")) + kind + self.packet()


def checksum(data: bytes) -> int:
    even = data + b"\0" * (len(data) & 1)
    total = sum(struct.unpack(f"!{len(even) // 2}H", even))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def read_segment(frame: bytes) -> Segment | None:
    """The TCP segment in a frame; None: there is none. Extension headers are not looked behind."""
    kind, packet = frame[12:ETHERNET], frame[ETHERNET:]
    if kind == b"\x86\xdd" and packet[6] == socket.IPPROTO_TCP:
        lead, length = struct.unpack_from("!IH", packet)
        return _read_tcp(packet[40:40 + length], packet[8:24], packet[24:40], lead >> 20 & 255, packet[7], False)
    if kind == b"\x08\x00" and packet[9] == socket.IPPROTO_TCP:
        header, (length,) = (packet[0] & 15) * 4, struct.unpack_from("!H", packet, 2)
        return _read_tcp(packet[header:length], packet[12:16], packet[16:20], packet[1], packet[8],
                         bool(packet[6] & 0x40))
    return None


def _read_tcp(tcp: bytes, source: bytes, target: bytes, tos: int, ttl: int, dont_fragment: bool) -> Segment:
    sport, dport, sequence, acknowledgment, lead, window, _, urgent = struct.unpack_from("!HHIIHHHH", tcp)
    end = (lead >> 12) * 4
    return Segment(str(ipaddress.ip_address(source)), str(ipaddress.ip_address(target)), (sport, dport), lead & 0xFFF,
                   sequence, acknowledgment, tcp[20:end], tcp[end:], window, urgent, tos, ttl, dont_fragment)


def letters(flags: int) -> str:
    """As in "SA"; the reserved bits as a number behind."""
    known = "".join(letter for bit, letter in enumerate(FLAGS) if flags >> bit & 1)
    return known + (f"+{flags >> 9}" if flags >> 9 else "")


def options_of(raw: bytes) -> list[tuple[int, bytes]]:
    """Kinds and contents in their order, padding included; what is malformed comes whole, as kind -1."""
    found: list[tuple[int, bytes]] = []
    while raw:
        if raw[0] < 2:
            size = 1
        elif len(raw) < 2 or not 2 <= raw[1] <= len(raw):
            return [*found, (-1, raw)]
        else:
            size = raw[1]
        found.append((raw[0], raw[2:size]))
        raw = raw[size:]
    return found
