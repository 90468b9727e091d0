"""The differences from the plain kernel that are known and accepted, each with its reason and its bounds. DESIGN.md,
known limits, lists them too."""

from __future__ import annotations

import dataclasses
import fnmatch
import typing
from collections.abc import Callable, Iterator, Mapping

from handed_over import TCP_INIT_CWND, Passage, conducted, handed_over

Fields = Mapping[str, typing.Any]


def always(*_: object) -> bool:
    return True


@dataclasses.dataclass(frozen=True)
class Accepted:
    """Patterns are those of a shell, over the names of Case. `within` says of the field's two values whether they
    differ by no more than the reason explains; `given`, the same in view of all fields. A difference that is not `steady`
    comes and goes from run to run, in cases that differ in something else as well: no table counts it."""

    group: str
    name: str
    field: str
    reason: str
    within: Callable[[typing.Any, typing.Any], bool] = always
    given: Callable[[Fields, Fields], bool] = always
    steady: bool = True

    def covers(self, group: str, name: str, field: str, plain: Fields, ours: Fields) -> bool:
        told = ((group, self.group), (name, self.name), (field, self.field))
        return (all(fnmatch.fnmatchcase(*each) for each in told) and self.within(plain.get(field), ours.get(field))
                and self.given(plain, ours))


# --- SYNs -------------------------------------------------------------------------------------------------------------

UNCHECKED = ("The TCP checksum of a SYN is not looked at: on links between virtual machines it is often not filled in. "
             "A damaged SYN gets an answer, which nobody asked for; the stack does check the completing segment.")


def unchecked(plain: Fields, ours: Fields) -> bool:
    return plain == {"reply": "silence"} and ours["reply"] == "SA"


# --- The accepted socket ----------------------------------------------------------------------------------------------

ROUNDED = ("The peer's MSS is remembered in one of eight sizes for each family, rounded down: the cookie has three "
           "bits for it. Segments to such a peer are that much shorter, and the first buffer is smaller.")
RAISED = ("A peer's MSS, or a listener's TCP_MAXSEG, below 536 (IPv4) or 1220 (IPv6), and on IPv6 no MSS at all, "
          "counts as that much: the kernel function that takes the connection over wants no less. So with the "
          "kernel's own SYN cookies.")
WINDOW = ("The receive window of a handed-over connection is a multiple of the peer's MSS, the plain kernel's of its "
          "own: up to one segment less or more. What derives from it follows. So with the kernel's own SYN cookies.")
CLIPPED = ("Where the receive window is not a multiple of the segments that the peer sends, because it is one of its "
           "MSS and the segments carry timestamps, it cuts a small one from the end of a narrow window. So with the "
           "kernel's own SYN cookies. Where a later window ends depends on when the application reads, with both.")
OVERRUN = ("Where that window is smaller than the SYN-ACK promised, and a peer fills it with its very first segments, "
           "the last of these is beyond it and sent again. The kernel's own SYN cookies promise and keep the same.")
COUNTED = ("A route's initrwnd counts segments: of the peer's MSS in a handed-over connection, of its own in the plain "
           "kernel's. So with the kernel's own SYN cookies.")

COPIED = ("Where NAT rules are present, the completing ACK is followed by a copy of itself, for connection tracking: one "
          "segment more. It may come before the application looks at the socket, or after that.")

SEGMENT_FIELDS = ("snd_mss", "rcv_mss", "TCP_MAXSEG", "SO_SNDBUF", "segments of the reply")
WINDOW_FIELDS = ("rcv_wnd", "rcv_ssthresh", "rcv_space", "client's snd_wnd")


def is_rounded(plain: Fields) -> bool:
    return plain["MSS handed over"] < plain["MSS"]


def is_raised(plain: Fields) -> bool:
    return plain["MSS handed over"] > plain["MSS"]


def is_counted(plain: Fields) -> bool:
    return plain["room"].segments > 0


def as_foretold(field: str, why: Callable[[Fields], bool]) -> Callable[[Fields, Fields], bool]:
    """Where that is so, both are what the kernel's arithmetic makes them (handed_over.py), and nothing else."""

    def given(plain: Fields, ours: Fields) -> bool:
        if "snd_mss" not in plain or "snd_mss" not in ours or not why(plain):
            return False
        return ours[field] == handed_over(plain)[field] and plain[field] == conducted(plain).get(field, plain[field])

    return given


def is_whole(found: Passage, whole: int, left: int = 0) -> bool:
    """Whole segments, behind some of them what was left of the first window, perhaps one that was cut in two where a later
    one ended, and the rest."""
    cut = {size: number for number, size in found.cut}
    others = {size: number for size, number in cut.items() if size not in (whole, left)}
    halves = {size for size, number in others.items() if number == 1 and others.get(whole - size) == 1}
    rest = [number for size, number in others.items() if len(halves) != 2 or size not in halves]
    return max(cut) == whole and cut.get(left, 0) <= cut[whole] and rest in ([], [1]) and not any(found.sent_again)


def is_clipped(plain: Fields, ours: Fields) -> bool:
    """Our request and theirs are whole; of ours, the first window may have left something."""
    if "room" not in plain or "room" not in ours:
        return False
    whole, found, beside = plain["client's snd_mss"], ours["segments of the request"], plain["segments of the request"]
    left = plain["room"].window(plain["MSS handed over"]) % whole
    return found.length == beside.length and is_whole(found, whole, left) and is_whole(beside, whole)


def is_overrun(plain: Fields, ours: Fields) -> bool:
    """Our request: the peer's first segments were more than the window, and the last of them came twice."""
    if "room" not in plain or "room" not in ours:
        return False
    whole, found, beside = plain["client's snd_mss"], ours["segments of the request"], plain["segments of the request"]
    promised, kept = plain["rcv_wnd"], ours["rcv_wnd"]
    return (kept < promised <= TCP_INIT_CWND * whole and found.sent_again == (1, 1, whole)
            and not any(beside.sent_again) and found.length == beside.length and found.cut[0] == beside.cut[0]
            and abs(found.segments - beside.segments) <= 1)


def is_one_more(plain: typing.Any, ours: typing.Any) -> bool:
    return ours == plain + 1


def socket_fields(reason: str, why: Callable[[Fields], bool], fields: tuple[str, ...]) -> Iterator[Accepted]:
    for field in fields:
        yield Accepted("*", "*", field, reason, given=as_foretold(field, why))


# --- The round trip ---------------------------------------------------------------------------------------------------

UNTIMED = ("Without timestamps nobody knows when the SYN-ACK left: the first round trip counts as unknown and the "
           "first retransmission time-out is 3 s, until data is acknowledged. So with the kernel's own SYN cookies.")
UNKNOWN = {"rtt": 0, "rttvar": 750_000, "min_rtt": 2**32 - 1, "rto": 3_000_000}  # microseconds, of three seconds


def untimed(field: str) -> Callable[[Fields, Fields], bool]:
    return lambda plain, ours: not plain["timestamps"] and ours[field] == UNKNOWN[field]


ACCEPTED: tuple[Accepted, ...] = (
    Accepted("damaged, *", "*", "*", UNCHECKED, given=unchecked),
    *socket_fields(ROUNDED, is_rounded, SEGMENT_FIELDS),
    *socket_fields(RAISED, is_raised, SEGMENT_FIELDS),
    *socket_fields(COUNTED, is_counted, WINDOW_FIELDS),
    *socket_fields(WINDOW, always, WINDOW_FIELDS),
    Accepted("*", "*", "segments of the request", CLIPPED, given=is_clipped, steady=False),
    Accepted("*", "*", "segments of the request", OVERRUN, given=is_overrun, steady=False),
    *(Accepted(group, "*", "segs_in", COPIED, is_one_more, steady=False) for group in ("*NAT rules*", "like Docker*")),
    *(Accepted("* ms, *", "*", field, UNTIMED, given=untimed(field)) for field in UNKNOWN),
)
