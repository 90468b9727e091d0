"""What comes back for a SYN: everything that a peer can tell of it, and of anything else that answers the same SYN."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
import socket
import struct
import sys
import typing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from frames import SYN, Segment, letters, options_of, segment_in  # noqa: E402
from packets import ICMP_HEADER, Packet, read_packet  # noqa: E402

TIMESTAMPS = 8
IP_TIMESTAMPS = 68

Key = tuple[str, int, int]  # the peer's address and port, and the port it asked for
Fields = dict[str, typing.Any]


class Arrival(typing.NamedTuple):
    """A frame that came to the peer's side."""

    packet: Packet
    link: str  # by which interface, and between which stations

    @property
    def segment(self) -> Segment | None:
        return segment_in(self.packet)

    @property
    def key(self) -> Key | None:
        """Whose SYN it answers, or quotes."""
        if segment := self.segment:
            return segment.target, segment.ports[1], segment.ports[0]
        quoted = self.packet.quoted
        if quoted and quoted.protocol == socket.IPPROTO_TCP and len(quoted.body) >= 4:
            return quoted.source, *struct.unpack_from("!HH", quoted.body)
        return None


@dataclasses.dataclass
class Reply:
    """What became of one SYN."""

    arrivals: list[Arrival] = dataclasses.field(default_factory=list)  # none: silence
    reached_the_stack: bool = False

    @property
    def segment(self) -> Segment | None:
        return next((each.segment for each in self.arrivals if each.segment), None)

    def taken(self, sequence: int) -> int:
        """How much of the data on the SYN is acknowledged."""
        answer = self.segment
        return (answer.acknowledgment - sequence - 1) % 2**32 if answer and answer.flags & SYN else 0

    @property
    def answerer(self) -> str:
        """Of a server behind the adaptor."""
        if self.reached_the_stack:
            return "stack"
        return "adaptor" if self.arrivals else "nobody"

    def features(self, asked: Segment) -> Fields:
        """Everything in all that came but ISN, TSval, IP identification, the number of a flow label of the host's own,
        and checksums that hold."""
        if not self.arrivals:
            return {"reply": "silence"}
        found = [{**said(each, asked), **of_the_packet(each, asked)} for each in self.arrivals]
        return {f"{f'reply {which}: ' if which > 1 else ''}{field}": value
                for which, fields in enumerate(found, 1) for field, value in fields.items()}


# --- IP, and below ----------------------------------------------------------------------------------------------------

def of_the_packet(arrival: Arrival, asked: Segment) -> Fields:
    packet = arrival.packet
    return {
        "from": "whom was asked" if packet.source == asked.target else packet.source,
        "ttl": packet.ttl,
        "tos": packet.tos,
        "dont fragment": packet.dont_fragment,
        "fragment": (packet.reserved, packet.more_fragments, packet.fragment),
        "IP options": ip_options(packet.options),
        "extension headers": [kind for kind, _ in packet.extensions],
        "flow label": label(packet, asked),
        "checksums hold": packet.sums_hold,
        "behind the packet": packet.trailer,
        "link": arrival.link,
    }


def label(packet: Packet, asked: Segment) -> str:
    if not packet.flow_label:
        return "none"
    return "the SYN's" if packet.flow_label == asked.flow_label else "its own"


def ip_options(raw: bytes) -> str:
    """In hexadecimal; of timestamps only their number, for they are the host's clock."""
    return ", ".join(f"{kind} {content[:2].hex()} and {len(content) - 2} bytes" if kind == IP_TIMESTAMPS
                     else f"{kind} {content.hex()}".strip() for kind, content in options_of(raw))


# --- TCP and ICMP -----------------------------------------------------------------------------------------------------

def said(arrival: Arrival, asked: Segment) -> Fields:
    segment = arrival.segment
    return of_the_segment(segment, arrival.packet.body, asked) if segment else of_the_error(arrival.packet)


def of_the_segment(segment: Segment, raw: bytes, asked: Segment) -> Fields:
    return {
        "reply": letters(segment.flags),
        "sequence": None if segment.flags & SYN else segment.sequence,
        "acknowledges": (segment.acknowledgment - asked.sequence) % 2**32,
        "offset": raw[12] >> 4,
        "options": ", ".join(itertools.starmap(told, options_of(segment.options))),
        "window": segment.window,
        "urgent": segment.urgent,
        "payload": segment.payload,
    }


def of_the_error(packet: Packet) -> Fields:
    kind, code = packet.body[:2]
    name = "ICMPv6" if packet.protocol == socket.IPPROTO_ICMPV6 else "ICMP"
    return {"reply": f"{name} {kind}.{code}", "tells": packet.body[4:ICMP_HEADER].hex(),
            "quotes": packet.body[ICMP_HEADER:].hex()}


NAMES = {0: "end", 1: "nop", 2: "mss", 3: "scale", 4: "sack", 8: "stamps", 19: "md5", 30: "mptcp", 34: "fastopen"}


def told(kind: int, content: bytes) -> str:
    """An option, without what no two answers have in common."""
    name = NAMES.get(kind, str(kind))
    if kind in (2, 3):
        return f"{name} {int.from_bytes(content, 'big')}"
    if kind == TIMESTAMPS:
        return f"{name} echo {int.from_bytes(content[4:], 'big')}"
    return name if kind == 19 or not content else f"{name} {content.hex()}"


def arrival_of(frame: bytes, interface: str, stations: dict[bytes, str]) -> Arrival | None:
    packet = read_packet(frame)
    if packet is None:
        return None
    target, source = (stations.get(frame[at:at + 6], frame[at:at + 6].hex(":")) for at in (0, 6))
    return Arrival(packet, f"{interface}, {source} to {target}")
