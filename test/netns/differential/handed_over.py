"""What a connection that is handed over is like, figure by figure: computed as the kernel computes it (cookie_v4_check
and what it calls), from the plain kernel's socket for the same handshake and from the one thing that the cookie may
tell otherwise: the peer's MSS. The kernel's functions are named beside ours."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping

Fields = Mapping[str, typing.Any]

SIZES = {4: (536, 1220, 1360, 1400, 1440, 1452, 1460, 8960),
         6: (1220, 1300, 1360, 1380, 1400, 1432, 1440, 8940)}  # as in engine/cookie.hpp
HEADERS = {4: 40, 6: 60}  # bytes of IP and TCP
TIMESTAMPS = 12  # bytes of each segment

TCP_MIN_MSS, TCP_MSS_DEFAULT, TCP_INIT_CWND = 88, 536, 10
MAX_TCP_WINDOW, UNSCALED_WINDOW = 32767, 65535
UNLIMITED = 1 << 30


def mss_handed_over(offered: int, most: int, family: int) -> int:
    """What is left of the MSS that the peer offered, in the cookie and beside the listener's TCP_MAXSEG."""
    least = SIZES[family][0]
    remembered = max((size for size in SIZES[family] if size <= offered), default=least)
    return min(remembered, max(most, least))


@dataclasses.dataclass(frozen=True)
class Room:
    """For a receive window, as listener and route grant it."""

    space: int  # bytes
    segments: int = 0  # 0: as many as there is space for
    most: int = UNLIMITED

    def window(self, size: int) -> int:
        """tcp_select_initial_window: of whole segments of that size."""
        whole = self.space // size * size if self.space > size else self.space
        return min(whole, self.most, size * self.segments or UNLIMITED)


def stamped(fields: Fields) -> int:
    """The bytes that its timestamps take of each segment."""
    return TIMESTAMPS if fields["options"] & 1 else 0


def conducted(plain: Fields) -> dict[str, typing.Any]:
    """What the plain kernel's window must be, if we have understood it: of segments as it wants them itself."""
    return windows(plain, plain["advmss"])


def handed_over(plain: Fields) -> dict[str, typing.Any]:
    """What our socket must be like, in all that may be otherwise than in the plain kernel's."""
    size = plain["MSS handed over"]
    segment = min(size, plain["pmtu"] - HEADERS[plain["family"]]) - stamped(plain)  # tcp_sync_mss
    return {"snd_mss": segment, "TCP_MAXSEG": str(segment), "SO_SNDBUF": plain["first send buffer"],
            "rcv_mss": first_guess(plain, segment, size), **windows(plain, size),
            "segments of the reply": straight(plain.get("bytes of the reply", 0), segment)}


@dataclasses.dataclass(frozen=True)
class Passage:
    """How a message went over the link."""

    cut: tuple[tuple[int, int], ...]  # so many segments of that size, the largest first
    sent_again: tuple[int, ...] = (0, 0, 0)  # segments on the wire; segments and bytes in TCP_INFO

    @property
    def length(self) -> int:
        return sum(number * size for number, size in self.cut)

    @property
    def segments(self) -> int:
        return sum(number for number, _ in self.cut)


def straight(length: int, size: int) -> Passage:
    """In segments of that size, and the rest."""
    return Passage(tuple(each for each in ((length // size, size), (1, length % size)) if all(each)))


def first_guess(plain: Fields, segment: int, size: int) -> int:
    """tcp_initialize_rcv_mss: what the peer's segments are taken for, before there is one."""
    most = min(plain["advmss"], segment, plain["room"].window(size) // 2, TCP_MSS_DEFAULT)
    return max(most, TCP_MIN_MSS)


def windows(plain: Fields, size: int) -> dict[str, int]:
    """tcp_init_buffer_space, and what is made of it when data has come."""
    window = plain["room"].window(size)
    held = min(window, int(plain["TCP_WINDOW_CLAMP"]))
    now = moved_on(plain, window, held) if plain["bytes_received"] else window
    shift = plain["scales"] >> 4
    return {"rcv_wnd": now, "rcv_ssthresh": held, "rcv_space": min(held, TCP_INIT_CWND * plain["advmss"]),
            "client's snd_wnd": min(now >> shift, UNSCALED_WINDOW) << shift}


def moved_on(plain: Fields, window: int, held: int) -> int:
    """tcp_select_window: the right edge does not go back, and stays where it is unless a segment's length is gained."""
    grain = 1 << (plain["scales"] >> 4)
    left = window - plain["bytes_received"]
    segment = plain["rcv_mss"]
    kept = window if held - segment < window <= held else held // segment * segment
    return max(upwards(left, grain), upwards(held, grain) if grain > 1 else kept)


def upwards(value: int, grain: int) -> int:
    return -(-value // grain) * grain
