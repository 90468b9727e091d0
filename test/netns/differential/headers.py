"""SYNs with something between IP and TCP: IPv4 options, IPv6 extension headers, fragments. `answerer` is who is to
answer where the listener is served (syns.py)."""

from __future__ import annotations

import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from packets import DESTINATION, FRAGMENT, HOP_BY_HOP, ROUTING, Extension  # noqa: E402
from syns import LINUX, WINDOWS, Shape, option  # noqa: E402

SOMEWHERE = bytes((192, 0, 2, 77))


# --- IPv4 -------------------------------------------------------------------------------------------------------------

NOP, END = b"\1", b"\0"
RECORD_ROUTE, TIMESTAMP, SECURITY, CIPSO, STREAM, ROUTER_ALERT = 7, 68, 130, 134, 136, 148
LOOSE_ROUTE, STRICT_ROUTE = 131, 137


def route(kind: int, slots: int, pointer: int = 4, filled: bytes = b"") -> bytes:
    return option(kind, bytes((pointer,)) + filled.ljust(4 * slots, b"\0"))


def clock(slots: int, flags: int, pointer: int = 5) -> bytes:
    """`flags`: 0, timestamps alone; 1, with addresses; 3, of the addresses given. The high half counts overflows."""
    return option(TIMESTAMP, bytes((pointer, flags)) + bytes(4 * slots))


def v4(name: str, options: bytes, answerer: str = "adaptor", padding: bytes = END, tcp: bytes = LINUX) -> Shape:
    return Shape(name, tcp, answerer=answerer, fields=(("ip_options", options + padding * (-len(options) % 4)),))


def v4_options() -> list[Shape]:
    """Those that are in order. A source route is the stack's to refuse."""
    return [
        v4("4 NOPs", NOP * 4),
        v4("40 NOPs", NOP * 40),
        v4("END", END * 4),
        v4("END, then garbage", END + b"\x07\x01\x02"),
        v4("router alert", option(ROUTER_ALERT, b"\0\0")),
        v4("stream identifier", option(STREAM, b"\0\1")),
        v4("security", option(SECURITY, b"\0" * 9)),
        v4("unknown option", option(158, b"abcd")),
        v4("experiment, 40 bytes", option(94, b"e" * 38)),
        v4("unknown option, Windows", option(158, b"abcd"), tcp=WINDOWS),
        v4("loose source route", route(LOOSE_ROUTE, 1, filled=SOMEWHERE), "stack"),
        v4("strict source route", route(STRICT_ROUTE, 2, filled=SOMEWHERE), "stack"),
        v4("source route that is at its end", route(LOOSE_ROUTE, 1, 8, SOMEWHERE), "stack"),
    ]


def v4_echoed() -> list[Shape]:
    """Those that Linux sends back, filled in further."""
    return [
        v4("record route, 9 slots", route(RECORD_ROUTE, 9)),
        v4("record route, 1 slot", route(RECORD_ROUTE, 1)),
        v4("record route, 3 slots, one taken", route(RECORD_ROUTE, 3, 8, SOMEWHERE)),
        v4("record route, full", route(RECORD_ROUTE, 1, 8, SOMEWHERE)),
        v4("record route, Windows", route(RECORD_ROUTE, 3), tcp=WINDOWS),
        v4("record route among others", NOP + route(RECORD_ROUTE, 2) + option(ROUTER_ALERT, b"\0\0")),
        v4("timestamps", clock(4, 0)),
        v4("timestamps, full", clock(1, 0, 9)),
        v4("timestamps with addresses", clock(4, 1)),
        v4("timestamps of given addresses", clock(2, 3)),
        v4("timestamps, flags unknown", clock(2, 2)),
        v4("record route and timestamps", route(RECORD_ROUTE, 2) + clock(2, 0)),
    ]


def v4_refused() -> list[Shape]:
    """What is wrong with them is within an option: Linux tells with an ICMP error, and drops them."""
    return [
        v4("record route of length 2", option(RECORD_ROUTE)),
        v4("record route, pointer 3", route(RECORD_ROUTE, 2, 3)),
        v4("record route, pointer between slots", route(RECORD_ROUTE, 1, 6)),
        v4("record route twice", route(RECORD_ROUTE, 1) * 2),
        v4("timestamps of length 3", option(TIMESTAMP, b"\5")),
        v4("timestamps, pointer 4", clock(2, 0, 4)),
        v4("timestamps, 15 overflows", clock(1, 0xF0, 9)),
        v4("router alert of length 3", option(ROUTER_ALERT, b"\0")),
        v4("CIPSO of no known domain", option(CIPSO, struct.pack("!I", 7) + bytes((1, 4, 0, 3)))),
    ]


def v4_broken() -> list[Shape]:
    """Lengths that do not fit, and fragments."""
    return [
        *(v4(f"option of length {size}", bytes((158, size, 1, 1)), "stack") for size in (0, 1, 5, 41, 255)),
        v4("kind without length at the end", NOP * 3 + b"\x9e", "stack"),
        Shape("a first fragment", LINUX, answerer="nobody", fields=(("more_fragments", True),)),
        Shape("a later fragment", LINUX, answerer="stack", fields=(("fragment", 3),)),
    ]


# --- IPv6 -------------------------------------------------------------------------------------------------------------

PAD, ROUTER, JUMBO, HOME = 1, 5, 194, 201
IGNORE, DISCARD, DISCARD_AND_TELL, DISCARD_AND_TELL_ONE = 0x1E, 0x5E, 0x9E, 0xDE  # if it is unknown (RFC 8200, 4.2)
AUTHENTICATION, NO_NEXT = 51, 59
SEGMENTS, COMPRESSED = 4, 3  # routing headers of segment routing and of RPL (RFC 8754, RFC 6554)


def tlv(kind: int, content: bytes = b"") -> bytes:
    return bytes((kind, len(content))) + content


def options(kind: int, held: bytes = b"") -> Extension:
    """A header of options, padded as it must be."""
    missing = -(len(held) + 2) % 8
    pad = tlv(PAD, bytes(missing - 2)) if missing > 1 else b"\0" * missing
    return kind, bytes(((len(held) + missing + 2) // 8 - 1,)) + held + pad


def routing(kind: int, left: int, addresses: int = 1) -> Extension:
    return ROUTING, bytes((2 * addresses, kind, left)) + bytes(4) + bytes(16 * addresses)


def fragment(units: int = 0, more: bool = False) -> Extension:
    return FRAGMENT, struct.pack("!xHI", units << 3 | more, 0xF7A6)


def v6(name: str, *extensions: Extension, answerer: str = "adaptor", tcp: bytes = LINUX) -> Shape:
    return Shape(name, tcp, answerer=answerer, fields=(("extensions", extensions),))


HOP, DEST = options(HOP_BY_HOP), options(DESTINATION)
EITHER = (("hop-by-hop", HOP_BY_HOP), ("destination options", DESTINATION))


def v6_headers() -> list[Shape]:
    """Those that are in order."""
    return [
        *(v6(f"{name}, padding", options(kind)) for name, kind in EITHER),
        *(v6(f"{name}, single pads", (kind, b"\0" * 7)) for name, kind in EITHER),
        *(v6(f"{name}, unknown, to be ignored", options(kind, tlv(IGNORE, b"ab"))) for name, kind in EITHER),
        *(v6(f"{name}, 264 bytes", options(kind, tlv(IGNORE, b"i" * 253))) for name, kind in EITHER),
        v6("hop-by-hop, router alert", options(HOP_BY_HOP, tlv(ROUTER, b"\0\0"))),
        v6("hop-by-hop, Windows", HOP, tcp=WINDOWS),
        *(v6(f"routing, type {kind}, none left", routing(kind, 0)) for kind in (0, 253)),
        v6("hop-by-hop, destination options", HOP, DEST),
        v6("hop-by-hop, destination options, routing, destination options", HOP, DEST, routing(0, 0), DEST),
        v6("eight headers", *[DEST] * 8),
        v6("routing, type 0, one left", routing(0, 1), answerer="stack"),
    ]


def v6_refused() -> list[Shape]:
    """Linux drops them for what is within a header, and tells of some with an ICMP error."""
    unknown = (("discard", DISCARD), ("discard and tell", DISCARD_AND_TELL),
               ("discard and tell one", DISCARD_AND_TELL_ONE))
    return [
        *(v6(f"{name}, unknown: {what}", options(header, tlv(kind, b"ab"))) for name, header in EITHER
          for what, kind in unknown),
        *(v6(f"{name}, nine options", options(kind, tlv(IGNORE) * 9)) for name, kind in EITHER),
        *(v6(f"{name}, padding that says something", (kind, b"\0" + tlv(PAD, b"word"))) for name, kind in EITHER),
        *(v6(f"{name}, more padding than needed", options(kind, tlv(PAD, bytes(12)))) for name, kind in EITHER),
        *(v6(f"{name}, option behind the end", (kind, b"\0" + bytes((IGNORE, 40)) + b"abcd")) for name, kind in EITHER),
        v6("hop-by-hop, jumbo", options(HOP_BY_HOP, tlv(JUMBO, struct.pack("!I", 80)))),
        v6("destination options, home address", options(DESTINATION, tlv(PAD, b"\0\0") + tlv(HOME, bytes(16)))),
        v6("routing, segments, none left", routing(SEGMENTS, 0)),
        v6("routing, compressed, none left", routing(COMPRESSED, 0)),
    ]


def v6_dropped() -> list[Shape]:
    """Linux answers these; the adaptor drops what it cannot see through."""
    return [v6("an atomic fragment", fragment(), answerer="nobody"),
            v6("nine headers", *[DEST] * 9, answerer="nobody"),
            v6("thirty headers", *[DEST] * 30, answerer="nobody")]


def v6_broken() -> list[Shape]:
    return [
        v6("hop-by-hop not first", DEST, HOP, answerer="stack"),
        v6("hop-by-hop twice", HOP, HOP, answerer="stack"),
        v6("header behind the end", (DESTINATION, b"\xff" + tlv(PAD, bytes(4))), answerer="stack"),
        v6("authentication", (AUTHENTICATION, b"\4" + bytes(22)), answerer="stack"),
        v6("no next header", (NO_NEXT, bytes(7)), answerer="stack"),
        v6("unknown header", (253, bytes(7)), answerer="stack"),
        v6("a first fragment", fragment(more=True), answerer="nobody"),
        v6("a later fragment", fragment(3), answerer="stack"),
    ]


def every_header(family: int) -> dict[str, list[Shape]]:
    if family == 4:
        return {"IP options": v4_options(), "IP options, echoed": v4_echoed(), "IP options, refused": v4_refused(),
                "IP options, broken": v4_broken()}
    return {"extension headers": v6_headers(), "extension headers, refused": v6_refused(),
            "extension headers, dropped": v6_dropped(), "extension headers, broken": v6_broken()}
