"""What goes otherwise than with the plain kernel after a SYN, and why that is accepted (see accepted.py). Most of it is
so with any host that keeps nothing of a SYN: the kernel itself when it makes SYN cookies. The reasons say where."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from accepted import Accepted

Within = Callable[[object, object], bool]

COOKIES = "So with the kernel's own cookies."


def gist(found: object) -> str:
    """The flags of what came back, and for every connection of the application its state and what was read of it."""
    if isinstance(found, dict):
        return f"[{found['state']}: {' '.join(found['read'])}]"
    if isinstance(found, tuple):
        return " ".join(map(gist, found))
    return "" if found is None else str(found).split(",")[0]


def turns(plain: str, ours: str) -> Within:
    """Of this gist the kernel's must be, and of that ours (regular expressions)."""
    return lambda theirs, own: bool(re.fullmatch(plain, gist(theirs)) and re.fullmatch(ours, gist(own)))


def without_echoes(found: object) -> object:
    return re.sub(r", echoes \d+", "", repr(found))


def same_but_for_echoes(plain: object, ours: object) -> bool:
    return without_echoes(plain) == without_echoes(ours)


def close_windows(plain: object, ours: object) -> bool:
    """Within one MSS, in units of the scale that both SYN-ACKs promised."""
    if not (isinstance(plain, tuple) and isinstance(ours, tuple) and len(plain) == len(ours)):
        return False
    return all(abs(one - other) << 10 <= 2048 for one, other in zip(plain, ours))


Sight = tuple[str, str, dict[str, Within]]  # patterns of the shell: a group, cases, and steps


def because(reason: str, *sights: Sight) -> Iterator[Accepted]:
    for group, name, fields in sights:
        for field, within in fields.items():
            yield Accepted(group, name, field, reason, within)


def overtaken(by_ours: str) -> dict[str, Within]:
    """What the overtaking segment is answered with; what follows differs in what it acknowledges."""
    then = turns("A", "A")
    return {"* second segment": turns("A", by_ours), "* FIN behind data": turns("A", by_ours),
            "* first segment": then, "* data on the ACK": then, "* again": then}


ESTABLISHED = r"\[established: .*\]"
DROPPED = {"* wrong": turns("A|R", ""), "* one more": turns("R", "")}
REVIVED = {"* RST": turns("A", ""), "* ACK": turns("R", ""), "* data": turns("R", "A"),
           "* application": turns(r"|\[closed: ECONNRESET\]", r"(\[closed: ECONNRESET\] )?" + ESTABLISHED)}
UNASKED = {"* ACK": turns("", "R"), "*": turns(f"A|PA|{ESTABLISHED}", f"|A|PA|{ESTABLISHED}")}
SECOND_SYN = {"* SYN with a new ISN": turns("A|RA", "SA"), "* application": turns(".*", ESTABLISHED)}

ODDITIES = (
    *because("The window of a connection made from a cookie is up to one MSS off the plain kernel's, either way: "
             f"the kernel computes it anew. {COOKIES}",
             ("receive window", "*", {"*: windows": close_windows})),

    # --- SYNs ---------------------------------------------------------------------------------------------------------

    *because("The answer to a repeated SYN echoes the timestamp of that SYN, the plain kernel's that of the first: "
             f"both measure a round trip. {COOKIES}",
             ("duplicate SYN", "*", {"* SYN again": same_but_for_echoes, "* SYN, twice": same_but_for_echoes}),
             ("TCP_DEFER_ACCEPT", "duplicate SYN*", {"* SYN*": same_but_for_echoes})),
    *because("A repeated SYN with other options is answered according to these, the plain kernel keeps to the first"
             f" ones. {COOKIES}",
             ("duplicate SYN", "with other options,*", {"* SYN with an MSS alone": turns("SA", "SA")})),
    *because("A second SYN with another ISN is answered too, and whichever is acknowledged becomes the connection: "
             f"nothing is kept of the first. The plain kernel resets or insists on the first. {COOKIES}",
             ("SYN with a new ISN", "*window, ACK of the *", {**SECOND_SYN, "* ACK of the *": turns("A|R|", "")}),
             ("SYN with a new ISN", "before the first, ACK *", {**SECOND_SYN, "* ACK of the *": turns("A|R|", "")}),
             ("SYN with a new ISN", "ACK of both,*", {**SECOND_SYN, "* ACK of the *": turns("A|", "|A")})),
    *because(f"SYN-ACKs are not repeated by a timer: the peer repeats its SYN. {COOKIES}",
             ("SYN-ACK", "not acknowledged*", {"* later": turns("SA", "")})),

    # --- The ACK ------------------------------------------------------------------------------------------------------

    *because("A segment that completes nothing but echoes a timestamp not older than 60 s is dropped, not reset: it"
             " may belong to a handshake whose first segment was lost, which a reset would kill. It may as well "
             "belong to a connection that is no more: then the reset comes after 60 s.",
             ("wrong *", "*, timestamps", DROPPED), ("orderly", "*, timestamps", DROPPED),
             ("FIN on the ACK", "*, timestamps", DROPPED), ("TCP_DEFER_ACCEPT", "FIN *, timestamps", DROPPED)),
    *because("Without timestamps, a segment that completes nothing is reset, where the plain kernel, which knows "
             f"the half-open connection, asks again or takes it. {COOKIES}",
             ("wrong sequence number", "*, no timestamps", {"* wrong": turns("A|", "R")}),
             ("* on the ACK", "overtak*, no timestamps", overtaken("R"))),
    *because("What overtakes the segment that completes the handshake is dropped and the peer sends it again; the "
             "plain kernel, which knows the half-open connection, keeps it. (The kernel's own cookies reset it.)",
             ("* on the ACK", "overtak*, timestamps", overtaken(""))),
    *because(f"A SYN-ACK in place of the ACK is reset, where the plain kernel asks again. {COOKIES}",
             ("in place of the ACK", "SYN-ACK,*", {"* SYN-ACK": turns("A", "R")})),
    *because("An RST does not cancel a handshake: the ACK, should it come after all, still completes it, for as "
             "long as the cookie lives; and once more where it had completed it before and an RST had ended the "
             f"connection. {COOKIES}",
             ("RST after the SYN-ACK", "*", REVIVED), ("TCP_DEFER_ACCEPT", "RST after the ACK,*", REVIVED)),
    *because("An ACK with CWR, which no peer sends before it has heard of congestion, is taken by the kernel for "
             "one of a peer that does AccECN: it looks at a cookie's ACK for that. So with the kernel's own "
             "cookies, where timestamps carry ECN through them.",
             ("flags on the ACK", "ECN, *CWR,*", {"*": turns(".*A.*", ".*N.*")})),
    *because("An ACK that lacks the timestamps agreed upon makes a connection without them: that they were agreed "
             "is known from the ACK alone. (The kernel's own cookies lose every other option then, too.)",
             ("options on the ACK", "none,*, timestamps", {"*": turns(f"A|PA|{ESTABLISHED}", f"A|PA|{ESTABLISHED}")})),
    *because("An ACK whose timestamp is older than its SYN's is taken: the SYN's is not kept. The plain kernel asks"
             f" again. {COOKIES}",
             ("options on the ACK", "an older clock,*, timestamps", {
                 "* ACK": turns("A", ""), "* data": turns("A", "A"), "*": turns("", f"{ESTABLISHED}|PA|19")})),
    *because("An ACK with timestamps completes a handshake for 60 s; the plain kernel keeps it for 63 s, its own "
             "cookies for 60 to 120.",
             ("late ACK", "62 s,*", {"* ACK": turns("", "R"), "* application": turns(ESTABLISHED, ""),
                                    "* data": turns("A", "R"), "* the host speaks": turns("19", ""),
                                    "* the host speaks: replies": turns("PA", "")})),
    *because("An ACK that echoes a timestamp, but none of the last 60 s, is reset, where the plain kernel asks "
             "again. The kernel's own cookies do not look at the echo's age, and take from it which options were "
             "agreed.",
             ("options on the ACK", "an echo from *, timestamps", {"* ACK": turns("A", "R")})),
    *because("Timestamps on the ACK are taken for agreed upon, where the SYN had none: they are held to their echo,"
             " and the ACK is reset; or, where they echo nothing, they are in force from then on. RFC 7323 forbids "
             "to send them. The plain kernel ignores them; its own cookies believe them.",
             ("options on the ACK", "a* clock*, no timestamps", UNASKED),
             ("options on the ACK", "an echo *, no timestamps", UNASKED)),
)

LATER = {"* ACK": turns("R", ""), "* application": turns("", ESTABLISHED), "* data": turns("R", "A"),
         "* the host speaks": turns("", "19"), "* the host speaks: replies": turns("", "PA")}
LATE = tuple(because("Without timestamps, an ACK completes a handshake as long as the key of its cookie lives, 64 to "
                     "128 s; the plain kernel keeps it for 63 s.",
                     ("late ACK, no timestamps", "70 s, the epoch has begun,*", LATER),
                     ("late ACK, no timestamps", "120 s, the epoch has begun,*", LATER)))
