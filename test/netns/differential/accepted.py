"""The differences from the plain kernel that are known and accepted, each with its reason and its bounds. DESIGN.md,
known limits, lists them too."""

from __future__ import annotations

import dataclasses
import fnmatch
import typing
from collections.abc import Callable, Mapping


Fields = Mapping[str, typing.Any]


def always(plain: Fields, ours: Fields) -> bool:
    return True


@dataclasses.dataclass(frozen=True)
class Accepted:
    """Patterns are those of a shell, over the names of Case. `within` says of the field's two values whether they
    differ by no more than the reason explains; `given`, the same in view of all fields."""

    group: str
    name: str
    field: str
    reason: str
    within: Callable[[typing.Any, typing.Any], bool] = always
    given: Callable[[Fields, Fields], bool] = always

    def covers(self, group: str, name: str, field: str, plain: Fields, ours: Fields) -> bool:
        told = ((group, self.group), (name, self.name), (field, self.field))
        return (all(fnmatch.fnmatchcase(*each) for each in told) and self.within(plain.get(field), ours.get(field))
                and self.given(plain, ours))


# --- SYNs -------------------------------------------------------------------------------------------------------------

UNCHECKED = ("The TCP checksum of a SYN is not looked at: on links between virtual machines it is often not filled in. "
             "A damaged SYN gets an answer, which nobody asked for; the stack does check the completing segment.")


def unchecked(plain: Fields, ours: Fields) -> bool:
    return plain == {"reply": "silence"} and ours["reply"] == "SA"


# --- The peer's MSS ---------------------------------------------------------------------------------------------------

SIZES = {4: (536, 1220, 1360, 1400, 1440, 1452, 1460, 8960),
         6: (1220, 1300, 1360, 1380, 1400, 1432, 1440, 8940)}  # as in engine/cookie.hpp
TIMESTAMPS = 12  # bytes of each segment


def remembered(offered: int, family: int) -> int:
    """What the cookie has of an MSS."""
    return max((size for size in SIZES[family] if size <= offered), default=SIZES[family][0])


def offered(fields: Fields) -> int:
    """The MSS of the SYN, or what the listener makes of it."""
    return fields["segments offered"]


def both_accepted(plain: Fields, ours: Fields) -> bool:
    return "snd_mss" in plain and "snd_mss" in ours


def rounded_down(plain: Fields, ours: Fields) -> bool:
    """Our segments are as the table says, or as small as everything else made them."""
    if not both_accepted(plain, ours):
        return False
    family = plain["family"]
    least, mss = SIZES[family][0], offered(plain)
    between = mss > least and mss not in SIZES[family]
    return between and sends(ours) <= min(remembered(mss, family), sends(plain))


def raised(plain: Fields, ours: Fields) -> bool:
    if not both_accepted(plain, ours):
        return False
    least = SIZES[plain["family"]][0]
    return offered(plain) < least and sends(plain) <= sends(ours) <= least


def sends(fields: Fields) -> int:
    """The segments that one end sends, with their options."""
    return fields["snd_mss"] + (TIMESTAMPS if fields["options"] & 1 else 0)


ROUNDED = ("The peer's MSS is remembered in one of eight sizes for each family, rounded down: the cookie has three "
           "bits for it. Segments to such a peer are that much shorter, and the first buffer is smaller.")
RAISED = ("A peer's MSS, or a listener's TCP_MAXSEG, below 536 (IPv4) or 1220 (IPv6), and on IPv6 no MSS at all, "
          "counts as that much: the kernel function that takes the connection over wants no less. So with the "
          "kernel's own SYN cookies.")
SEGMENT_FIELDS = ("snd_mss", "rcv_mss", "TCP_MAXSEG", "SO_SNDBUF", "segments of the reply")

# --- The window -------------------------------------------------------------------------------------------------------

WINDOW = ("The receive window of a handed-over connection is a multiple of the peer's MSS, the plain kernel's of its "
          "own: up to one segment less or more. What derives from it follows. So with the kernel's own SYN cookies.")
COUNTED = ("A route's initrwnd counts segments: of the peer's MSS in a handed-over connection, of its own in the plain "
           "kernel's. So with the kernel's own SYN cookies.")
WINDOW_FIELDS = ("rcv_wnd", "rcv_ssthresh", "rcv_space", "client's snd_wnd")


def segments_apart(field: str, number: int = 1) -> Callable[[Fields, Fields], bool]:
    def given(plain: Fields, ours: Fields) -> bool:
        if not both_accepted(plain, ours):
            return False
        grain = 1 << (ours["scales"] >> 4)
        segment = max(offered(plain), remembered(offered(plain), plain["family"]), ours["advmss"] + TIMESTAMPS)
        return abs(plain[field] - ours[field]) < number * segment + grain

    return given


# --- The round trip ---------------------------------------------------------------------------------------------------

UNTIMED = ("Without timestamps nobody knows when the SYN-ACK left: the first round trip counts as unknown and the "
           "first retransmission time-out is 3 s, until data is acknowledged. So with the kernel's own SYN cookies.")


def untimed(plain: Fields, ours: Fields) -> bool:
    return not plain["timestamps"] and ours["rtt"] in (0, "true") and ours["rto"] == 3_000_000


ACCEPTED: tuple[Accepted, ...] = (
    Accepted("damaged, *", "*", "*", UNCHECKED, given=unchecked),
    *(Accepted("*", "*", field, ROUNDED, given=rounded_down) for field in SEGMENT_FIELDS),
    *(Accepted("*", "*", field, RAISED, given=raised) for field in SEGMENT_FIELDS),
    *(Accepted("*", "*", field, WINDOW, given=segments_apart(field)) for field in WINDOW_FIELDS),
    *(Accepted("route: initrwnd 5*", "*", field, COUNTED, given=segments_apart(field, 5)) for field in WINDOW_FIELDS),
    *(Accepted("* ms, *", "*", field, UNTIMED, given=untimed) for field in ("rtt", "rto")),
)
