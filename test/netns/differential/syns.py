"""SYNs as they are met: named after who sends them, or after what is odd about them."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import pathlib
import random
import struct
import sys
import typing
from collections.abc import Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from frames import ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG, Segment, options_of  # noqa: E402

TSVAL = 0x01020304


def mss(value: int) -> bytes:
    return struct.pack("!BBH", 2, 4, value)


def scale(shift: int) -> bytes:
    return bytes((3, 3, shift))


def stamps(value: int = TSVAL, echo: int = 0) -> bytes:
    return struct.pack("!BBII", 8, 10, value, echo)


def option(kind: int, content: bytes = b"") -> bytes:
    return bytes((kind, 2 + len(content))) + content


SACK, NOP, END = b"\4\2", b"\1", b"\0"


def padded(options: bytes, padding: bytes = NOP) -> bytes:
    return options + padding * (-len(options) % 4)


def offered_mss(options: bytes) -> int:
    """As the kernel reads it: the last one that is whole; 0: none."""
    found = 0
    for kind, content in options_of(options):
        if kind in (0, -1):
            break
        if kind == 2 and len(content) == 2:
            found = int.from_bytes(content, "big") or found
    return found


@dataclasses.dataclass(frozen=True)
class Shape:
    """`answerer`: who is to answer where the listener is served: the adaptor, the stack, or nobody; or whoever may."""

    name: str
    options: bytes = b""
    flags: int = SYN
    payload: bytes = b""
    answerer: str = "adaptor"
    fields: tuple[tuple[str, typing.Any], ...] = ()  # further ones of Segment
    key: bytes = b""  # it is signed with (RFC 2385)

    def segment(self, source: str, target: str, ports: tuple[int, int], sequence: int) -> Segment:
        plain = Segment(source, target, ports, self.flags, sequence, options=self.options, payload=self.payload)
        made = dataclasses.replace(plain, **dict(self.fields))
        return signed(made, self.key) if self.key else made


def signed(segment: Segment, key: bytes) -> Segment:
    """With the MD5 option (RFC 2385) behind its others."""
    unsigned = dataclasses.replace(segment, options=segment.options + NOP * 2 + option(19, b"\0" * 16))
    digest = hashlib.md5(unsigned.signed_part() + key, usedforsecurity=False).digest()
    return dataclasses.replace(unsigned, options=unsigned.options[:-16] + digest)


LINUX = mss(1460) + SACK + stamps() + NOP + scale(7)
WINDOWS = mss(1460) + NOP + scale(8) + NOP + NOP + SACK
MACOS = mss(1460) + NOP + scale(6) + NOP + NOP + stamps() + SACK + END + END

KEY = b"between the two of us"  # of those listeners that have one

ANYONE = ""

ACCECN = SYN | ECE | CWR | AE
CLASSIC_ECN = SYN | ECE | CWR

MAKES = [
    Shape("Linux", LINUX),
    Shape("Linux, ECN", LINUX, CLASSIC_ECN),
    Shape("Linux, AccECN", LINUX, ACCECN),
    Shape("Linux, no timestamps", mss(1460) + NOP + NOP + SACK + NOP + scale(7)),
    Shape("Linux, no SACK", mss(1460) + NOP + NOP + stamps() + NOP + scale(7)),
    Shape("Linux, no scale", mss(1460) + SACK + stamps()),
    Shape("Linux, no options but MSS", mss(1460)),
    Shape("Linux, MPTCP", LINUX + option(30, b"\x01\x81")),
    Shape("Linux, loopback MTU", mss(65495) + SACK + stamps() + NOP + scale(7)),
    Shape("Linux 2.4", mss(1460) + SACK + stamps() + NOP + scale(0), fields=(("window", 5840),)),
    Shape("Android", mss(1400) + SACK + stamps() + NOP + scale(8), fields=(("window", 65535),)),
    Shape("Android, old", mss(1460) + SACK + stamps() + NOP + scale(6), fields=(("window", 65535),)),
    Shape("Windows 11", WINDOWS, fields=(("window", 65535), ("ttl", 128))),
    Shape("Windows 10", WINDOWS, fields=(("ttl", 128),)),
    Shape("Windows 10, PPPoE", mss(1452) + WINDOWS[4:], fields=(("ttl", 128),)),
    Shape("Windows Server, ECN", WINDOWS, CLASSIC_ECN, fields=(("ttl", 128),)),
    Shape("Windows, timestamps", padded(mss(1460) + NOP + scale(8) + SACK + stamps())),
    Shape("Windows 7", mss(1460) + NOP + scale(2) + NOP + NOP + SACK, fields=(("window", 8192), ("ttl", 128))),
    Shape("Windows XP", mss(1460) + NOP + NOP + SACK, fields=(("window", 65535), ("ttl", 128))),
    Shape("Windows 95", mss(536), fields=(("window", 8192), ("ttl", 32))),
    Shape("macOS", MACOS, fields=(("window", 65535),)),
    Shape("macOS, ECN", MACOS, CLASSIC_ECN, fields=(("window", 65535),)),
    Shape("macOS, AccECN", MACOS, ACCECN, fields=(("window", 65535),)),
    Shape("iOS", mss(1360) + NOP + scale(7) + NOP + NOP + stamps() + SACK + END + END, fields=(("window", 65535),)),
    Shape("FreeBSD", mss(1460) + NOP + scale(6) + SACK + stamps(), fields=(("window", 65535),)),
    Shape("OpenBSD", mss(1460) + NOP + NOP + SACK + NOP + scale(6) + NOP + NOP + stamps(), fields=(("window", 16384),)),
    Shape("NetBSD", mss(1460) + NOP + scale(3) + SACK + NOP * 4 + stamps(), fields=(("window", 32768),)),
    Shape("Solaris", padded(SACK + stamps() + mss(1460) + NOP + scale(5))),
    Shape("AIX", mss(1460) + NOP + scale(3) + NOP + NOP + stamps(), fields=(("window", 65535),)),
    Shape("lwIP", mss(1460), fields=(("window", 5840), ("ttl", 255))),
    Shape("uIP", mss(1220), fields=(("window", 1220),)),
    Shape("Contiki", mss(88), fields=(("window", 88),)),
    Shape("4.3BSD", b"", fields=(("window", 4096), ("ttl", 30), ("dont_fragment", False))),
]

# The probes by which nmap tells systems apart (nmap.org/book/osdetect-methods.html), and those that only knock.
NMAP_STAMPS = stamps(0xFFFFFFFF)
SCANNERS = [
    Shape("nmap -sS", mss(1460), fields=(("window", 1024), ("dont_fragment", False), ("ttl", 45))),
    Shape("nmap probe 1", padded(scale(10) + NOP + mss(1460) + NMAP_STAMPS + SACK), fields=(("window", 1),)),
    Shape("nmap probe 2", padded(mss(1400) + scale(0) + SACK + NMAP_STAMPS, END), fields=(("window", 63),)),
    Shape("nmap probe 3", padded(NMAP_STAMPS + NOP + NOP + scale(5) + NOP + mss(640)), fields=(("window", 4),)),
    Shape("nmap probe 4", padded(SACK + NMAP_STAMPS + scale(10), END), fields=(("window", 4),)),
    Shape("nmap probe 5", padded(mss(536) + SACK + NMAP_STAMPS + scale(10), END), fields=(("window", 16),)),
    Shape("nmap probe 6", mss(265) + SACK + NMAP_STAMPS, fields=(("window", 512),)),
    Shape("nmap ECN probe", padded(scale(10) + NOP + mss(1460) + SACK + NOP + NOP), CLASSIC_ECN | 0x800,
          fields=(("window", 3), ("urgent", 0xF7F5))),
    Shape("nmap T3", padded(scale(10) + NOP + mss(265) + NMAP_STAMPS + SACK), SYN | FIN | URG | PSH, answerer="nobody",
          fields=(("window", 256),)),
    Shape("masscan", b"", fields=(("window", 1024), ("dont_fragment", False), ("ttl", 255))),
    Shape("ZMap", mss(1460), fields=(("window", 65535), ("dont_fragment", False), ("ttl", 255))),
    Shape("ZMap, as Linux", LINUX, fields=(("window", 65535), ("ttl", 255))),
    Shape("hping", b"", fields=(("window", 512), ("dont_fragment", False))),
]


def subsets() -> list[Shape]:
    """Every set of the four options, each in a word of its own."""
    parts = {"MSS": mss(1460), "SACK": NOP * 2 + SACK, "timestamps": NOP * 2 + stamps(), "scale": NOP + scale(7)}
    return [Shape(f"options: {', '.join(names) or 'none'}", b"".join(parts[name] for name in names))
            for number in range(5) for names in itertools.combinations(parts, number)]


def orders() -> list[Shape]:
    """The four options in every order, without padding between them."""
    parts = {"M": mss(1460), "S": SACK, "T": stamps(), "W": scale(7)}
    return [Shape(f"order: {''.join(names)}", padded(b"".join(parts[name] for name in names), END))
            for names in itertools.permutations(parts)]


SIZES = [0, 1, 47, 48, 64, 88, 265, 535, 536, 537, 1219, 1220, 1300, 1359, 1360, 1380, 1400, 1432, 1440, 1452, 1459,
         1460, 1461, 4000, 8940, 8960, 9000, 65495, 65535]


def values() -> list[Shape]:
    made = [Shape(f"MSS {size}", mss(size) + SACK + stamps() + NOP + scale(7)) for size in SIZES]
    made += [Shape(f"scale {shift}", mss(1460) + SACK + stamps() + NOP + scale(shift)) for shift in (*range(17), 255)]
    made += [Shape(f"window {size}", LINUX, fields=(("window", size),)) for size in (0, 1, 535, 8192, 32768, 65535)]
    made += [Shape(f"TSval {value}", LINUX[:6] + stamps(value) + LINUX[16:]) for value in (0, 1, 2**31, 2**32 - 1)]
    made += [Shape("TSecr", LINUX[:6] + stamps(5, 77) + LINUX[16:])]
    made += [Shape(f"{size} bytes of data", LINUX, payload=b"d" * size) for size in (1, 4, 100, 1400)]
    return made


def padding() -> list[Shape]:
    return [
        Shape("NOPs alone", NOP * 4),
        Shape("40 NOPs", NOP * 40),
        Shape("END alone", END * 4),
        Shape("END, then options", END * 4 + LINUX),
        Shape("END in the midst", mss(1460) + END * 4 + stamps() + NOP * 2),
        Shape("NOPs, then options", NOP * 20 + LINUX),
        Shape("NOPs behind the options", LINUX + NOP * 20),
        Shape("NOPs between, 40 bytes", NOP * 4 + mss(1460) + NOP * 4 + SACK + NOP * 6 + stamps() + NOP * 7 + scale(7)),
        Shape("garbage behind END", mss(1460) + END + b"\xff\xff\xff"),
        Shape("MSS twice", mss(1460) + mss(536)),
        Shape("MSS twice, the second 0", mss(1460) + mss(0)),
        Shape("scale twice", mss(1460) + padded(scale(2) + scale(9))),
        Shape("timestamps twice", padded(mss(1460) + stamps(1) + stamps(2))),
        Shape("SACK twice", mss(1460) + SACK + SACK),
    ]


def malformed() -> list[Shape]:
    """Lengths that do not fit. What came before them counts."""
    made = [Shape(f"MSS of length {size}", padded(bytes((2, size, 5, 0xB4)) + SACK)) for size in (0, 1, 2, 3, 5, 6, 40)]
    made += [Shape(f"scale of length {size}", mss(1460) + padded(bytes((3, size, 7)) + SACK))
             for size in (0, 1, 2, 4, 255)]
    made += [Shape(f"SACK of length {size}", mss(1460) + padded(bytes((4, size)) + scale(7))) for size in (0, 1, 3, 4)]
    made += [Shape(f"timestamps of length {size}", mss(1460) + padded(bytes((8, size)) + stamps()[2:] + SACK))
             for size in (0, 2, 8, 9, 11, 12)]
    made += [Shape(f"unknown option of length {size}", mss(1460) + bytes((77, size, 1, 1)) + SACK + NOP * 2)
             for size in (0, 1, 2, 3, 4, 8, 9, 255)]
    return made + [
        Shape("kind without length at the end", mss(1460) + SACK + NOP + b"\3"),
        Shape("MSS cut off", NOP + NOP + mss(1460)[:2]),
        Shape("scale cut off", mss(1460) + NOP + NOP + scale(7)[:2]),
        Shape("timestamps cut off", mss(1460) + stamps()[:8]),
        Shape("offset 4", LINUX, answerer="stack", fields=(("offset", 4),)),
        Shape("offset 0", LINUX, answerer="stack", fields=(("offset", 0),)),
        Shape("offset behind the end", LINUX, answerer="stack", fields=(("offset", 15),)),
        Shape("offset into the data", mss(1460), payload=SACK + NOP * 2, fields=(("offset", 7),)),
    ]


def strangers() -> list[Shape]:
    """Options that the handshake does not know, or leaves to the stack."""
    signature, capable = option(19, b"\x55" * 16), option(30, b"\x01\x81")
    return [
        Shape("SACK block on a SYN", mss(1460) + NOP * 2 + option(5, b"\0" * 8)),
        Shape("echo (RFC 1072)", mss(1460) + NOP * 2 + option(6, b"abcd")),
        Shape("T/TCP", mss(1460) + NOP * 2 + option(11, b"abcd")),
        Shape("alternate checksum", mss(1460) + NOP + option(14, b"\1")),
        Shape("SCPS capabilities", mss(1460) + option(20, b"ab")),
        Shape("quick start", mss(1460) + option(27, b"abcdef")),
        Shape("user time-out", mss(1460) + option(28, b"\x80\x05")),
        Shape("tcpcrypt", mss(1460) + padded(option(69, b"\1"))),
        Shape("MP_CAPABLE, version 0", LINUX + option(30, b"\x00\x81" + b"k" * 8)),
        Shape("MP_CAPABLE, version 1", LINUX + capable),
        Shape("MP_JOIN", LINUX + option(30, b"\x10\x00" + b"t" * 8)),
        Shape("Fast Open, cookie wanted", LINUX + NOP * 2 + option(34)),
        Shape("Fast Open, cookie", LINUX + NOP * 2 + option(34, b"cookie!!"), payload=b"GET /\r\n"),
        Shape("Fast Open, odd cookie", padded(mss(1460) + option(34, b"abc"))),
        Shape("Fast Open, experimental", mss(1460) + option(254, b"\xf9\x89")),
        Shape("SMC", LINUX + NOP * 2 + option(254, b"\xe2\xd4\xc3\xd9")),
        Shape("experiment 253", mss(1460) + option(253, b"ab")),
        Shape("experiment 254, short", mss(1460) + padded(option(254, b"a"))),
        Shape("kind 255", mss(1460) + option(255, b"ab")),
        Shape("AccECN option", mss(1460) + SACK + stamps() + NOP + scale(7) + padded(option(172, b"abc" * 3)), ACCECN),
        Shape("MD5", mss(1460) + NOP * 2 + signature, answerer="stack"),
        Shape("MD5, with the key", WINDOWS, answerer="stack", key=KEY),
        Shape("AO", mss(1460) + option(29, b"\1\1" + b"m" * 12), answerer="stack"),
    ]


def flags() -> list[Shape]:
    made = [Shape(f"flags: {name}", LINUX, SYN | more) for name, more in (
        ("PSH", PSH), ("URG", URG), ("PSH and URG", PSH | URG), ("ECE", ECE), ("CWR", CWR), ("AE", AE),
        ("AE and ECE", AE | ECE), ("AE and CWR", AE | CWR))]
    made += [Shape(f"flags: {name}", LINUX, SYN | more, answerer="nobody") for name, more in (
        ("RST", RST), ("FIN", FIN), ("RST and FIN", RST | FIN))]
    made += [Shape("flags: ACK", LINUX, SYN | ACK, answerer="stack"),
             Shape("flags: ACK and FIN", LINUX, SYN | ACK | FIN, answerer="stack"),
             Shape("flags: all eight", LINUX, 0xFF, answerer="stack")]
    made += [Shape(f"reserved bits {bits:03b}", LINUX, SYN | bits << 9) for bits in range(1, 8)]
    made += [Shape(f"reserved bits {bits:03b}, ECN", LINUX, CLASSIC_ECN | bits << 9) for bits in (1, 4, 7)]
    made += [Shape(f"TOS {tos:#04x}", LINUX, fields=(("tos", tos),)) for tos in (1, 2, 3, 0x10, 0x48, 0xB8, 0xFC)]
    made += [Shape(f"ECN, TOS {tos:#04x}", LINUX, CLASSIC_ECN, fields=(("tos", tos),)) for tos in (1, 2, 3, 0xB8)]
    made += [Shape(f"AccECN, TOS {tos:#04x}", LINUX, ACCECN, fields=(("tos", tos),)) for tos in (1, 2, 3)]
    made += [Shape(f"ECN, TOS 0x02, reserved bits {bits:03b}", LINUX, CLASSIC_ECN | bits << 9, fields=(("tos", 2),))
             for bits in (1, 2, 4)]
    made += [Shape(f"hop limit {hops}", LINUX, fields=(("ttl", hops),)) for hops in (1, 2, 255)]
    return [*made, Shape("urgent pointer", LINUX, SYN | URG, fields=(("urgent", 9),)),
            Shape("may be fragmented", LINUX, fields=(("dont_fragment", False),))]


def drawn(number: int = 300) -> list[Shape]:
    """SYNs drawn by lot, always the same: pieces that fit, pieces that do not, and plain noise."""
    lot = random.Random(9293)

    def piece() -> bytes:
        return lot.choice((
            lambda: mss(lot.choice((*SIZES, lot.randrange(1 << 16)))), lambda: scale(lot.randrange(20)), lambda: SACK,
            lambda: stamps(lot.randrange(1 << 32), lot.choice((0, lot.randrange(1 << 32)))),
            lambda: NOP * lot.randrange(1, 4),
            lambda: option(lot.choice((5, 6, 14, 28, 34, 69, 172, 253, 254, lot.randrange(35, 256))),
                           lot.randbytes(lot.randrange(6))),
            lambda: bytes((lot.randrange(1, 9), lot.randrange(12))), lambda: END * lot.randrange(2),
            lambda: lot.randbytes(lot.randrange(4))))()

    def shape(which: int) -> Shape:
        options = padded(b"".join(piece() for _ in range(lot.randrange(8)))[:40], lot.choice((NOP, END)))
        oddly = lot.randrange(16) << 8 | lot.choice((PSH, URG, ECE, CWR))
        flags = SYN | lot.choice((0, 0, ECE | CWR, AE | ECE | CWR, oddly))
        fields = (("tos", lot.choice((0, lot.randrange(256)))), ("window", lot.randrange(1 << 16)))
        return Shape(f"lot {which}", options, flags, b"d" * lot.choice((0, 0, 0, 7)), ANYONE, fields)

    return [shape(which) for which in range(number)]


def damaged() -> list[Shape]:
    """Their checksum does not hold."""
    return [Shape("Linux", LINUX, fields=(("damage", 1),)), Shape("Windows 10", WINDOWS, fields=(("damage", 0xFFFF),)),
            Shape("4.3BSD", fields=(("damage", 0x8000),)),
            Shape("4 bytes of data", LINUX, payload=b"d" * 4, fields=(("damage", 2),))]


def every_shape() -> dict[str, list[Shape]]:
    """All, by what is varied."""
    return {"makes": MAKES, "scanners": SCANNERS, "option sets": subsets(), "option orders": orders(),
            "values": values(), "padding": padding(), "malformed": malformed(), "strange options": strangers(),
            "flags": flags(), "drawn by lot": drawn()}


def named(*names: str) -> list[Shape]:
    known = {shape.name: shape for shapes in every_shape().values() for shape in shapes}
    return [known[name] for name in names]


def telling(*more: str) -> Sequence[Shape]:
    """Those few in whose answers all that a host can have set shows, and more by their names."""
    return named(*more, "Linux", "Linux, ECN", "Linux, AccECN", "Windows 10", "Windows Server, ECN", "macOS", "4.3BSD",
                 "Windows 95", "Linux, no scale", "options: timestamps", "options: SACK", "options: scale", "scale 14",
                 "MSS 8960", "4 bytes of data", "Fast Open, cookie wanted")
