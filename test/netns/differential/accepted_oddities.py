"""What goes otherwise than with the plain kernel after a SYN, and why that is accepted (see accepted.py). Most of it is
so with any host that keeps nothing of a SYN: the kernel itself when it makes SYN cookies. The reasons say where.

Accepted are these very words of both, at these steps: what a segment says and how many come, which connections the
application has got and what it has read of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from accepted import Accepted
from scripts import AHEAD, FAR
from variants import STAMPED, UNSTAMPED, VARIANTS, Variant, reset

Found = tuple[object, ...] | None  # at one step
Steps = dict[str, tuple[Found, Found]]  # the plain kernel's, ours
Sight = tuple[str, tuple[str, ...], Iterable[Variant], Callable[[Variant], Steps]]  # a group, its cases, which peers

COOKIES = "So with the kernel's own cookies."
NOTHING: Found = ()

Within = Callable[[object, object], bool]


def exactly(plain: Found, ours: Found) -> Within:
    return lambda theirs, own: (theirs, own) == (plain, ours)


def because(reason: str, *sights: Sight) -> Iterator[Accepted]:
    for group, names, variants, steps in sights:
        for name in names:
            for variant in variants:
                for step, found in steps(variant).items():
                    yield Accepted(group, f"{name}, {variant}", step, reason, exactly(*found))


# --- SYNs -------------------------------------------------------------------------------------------------------------

def echoed_anew(step: str, echo: int) -> Callable[[Variant], Steps]:
    return lambda v: {step: ((v.synack(1),), (v.synack(echo),))}


def twice(v: Variant) -> Steps:
    return {"1 SYN, twice": ((v.synack(1), v.synack(1)), (v.synack(1), v.synack(2)))}


def three_times(v: Variant) -> Steps:
    return {f"{n} SYN again": ((v.synack(1),), (v.synack(n),)) for n in (2, 3, 4)}


def other_options(v: Variant) -> Steps:
    return {"2 SYN with an MSS alone": ((v.synack(1),), (v.bare_synack(which=2),))}


def second_syn(ack: int, plain: str | None = None) -> Callable[[Variant], Steps]:
    """The plain kernel resets it or insists on the first."""
    return lambda v: {"2 SYN with a new ISN": ((plain or v.ack(),), (v.synack(2, ack, which=2),))}


def second_syn_resets(acknowledged: str) -> Callable[[Variant], Steps]:
    return lambda v: {**second_syn(AHEAD + 1, f"RA, seq zero, ack {AHEAD + 1}")(v),
                      f"3 ACK of the {acknowledged}": ((reset(),), NOTHING),
                      "4 application": (NOTHING, (v.connection(),))}


def second_syn_connects(ack: int) -> Callable[[Variant], Steps]:
    return lambda v: {**second_syn(ack)(v), "3 ACK of the second": ((v.ack(),), NOTHING),
                      "4 application": (NOTHING, (v.connection(),))}


def first_syn_comes_second(v: Variant) -> Steps:
    return {**second_syn(FAR + 1)(v), "3 ACK of the second": ((v.ack(),), NOTHING),
            "4 ACK of the first": (NOTHING, (v.ack(FAR + 1, 3, which=2),))}


def another_clock(step: str, ack: int, echo: int, which: int) -> Callable[[Variant], Steps]:
    return lambda v: {step: ((v.synack(echo, ack, which),), (v.synack(echo, ack, which, ", another clock"),))}


def not_repeated(v: Variant) -> Steps:
    return {"2 1.3 s later": ((v.synack(),), NOTHING)}


def not_asked_again(v: Variant) -> Steps:
    """What the peer says after all makes the connection; the plain kernel has spoken by then."""
    return {**not_repeated(v), "4 application": ((v.connection(),), NOTHING),
            "5 the host speaks": ((19,), NOTHING),
            "5 the host speaks: replies": ((v.ack(1, 2, flags="PA", size=19),), None),
            "6 the peer speaks": ((v.ack(18, 3, at=20),), (v.ack(18, 2),))}


SYNS = (
    *because("The answer to a repeated SYN echoes the timestamp of that SYN, the plain kernel's that of the first: "
             f"both measure a round trip. {COOKIES}",
             ("duplicate SYN", ("before the ACK", "with another window"), STAMPED, echoed_anew("2 SYN again", 2)),
             ("duplicate SYN", ("three times before the ACK",), STAMPED, three_times),
             ("duplicate SYN", ("two at once",), STAMPED, twice),
             ("TCP_DEFER_ACCEPT", ("duplicate SYN",), STAMPED, echoed_anew("2 SYN again", 2))),
    *because("The answer to a SYN that is repeated after the ACK echoes that SYN's timestamp, too, where the listener "
             "waits for data. (The kernel's own cookies do not wait: the connection answers.)",
             ("TCP_DEFER_ACCEPT", ("duplicate SYN after the ACK",), STAMPED, echoed_anew("3 SYN", 3))),
    *because("A repeated SYN with other options is answered according to these, the plain kernel keeps to the first"
             f" ones. {COOKIES}",
             ("duplicate SYN", ("with other options",), VARIANTS, other_options)),
    *because("A second SYN with another ISN is answered too, and whichever is acknowledged becomes the connection: "
             f"nothing is kept of the first. The plain kernel resets or insists on the first. {COOKIES}",
             *(("SYN with a new ISN", (f"within the window, ACK of the {which}",), VARIANTS, second_syn_resets(which))
               for which in ("first", "second")),
             ("SYN with a new ISN", ("beyond the window, ACK of the second",), VARIANTS, second_syn_connects(FAR + 1)),
             ("SYN with a new ISN", ("before the first, ACK of the second",), VARIANTS,
              second_syn_connects(1 - FAR)),
             ("SYN with a new ISN", ("beyond the window, ACK of the first", "ACK of both, first first"), VARIANTS,
              second_syn(FAR + 1)),
             ("SYN with a new ISN", ("ACK of both, second first",), VARIANTS, first_syn_comes_second)),
    *because("A SYN for a 4-tuple in TIME-WAIT is the stack's, whose timestamps have another origin than the "
             "adaptor's: they jump, forwards or backwards, and back again with the next connection. PAWS begins "
             "anew with every SYN-ACK.",
             *(("TIME-WAIT", (name,), STAMPED, another_clock("5 SYN", ack, 4, 2)) for name, ack in (
                 ("SYN, higher ISN, newer clock", FAR + 1), ("SYN, lower ISN, newer clock", 1 - FAR),
                 ("SYN, and another one later", FAR + 1))),
             ("TIME-WAIT", ("SYN, and another one later",), STAMPED,
              another_clock("10 SYN once more", 2 * FAR + 1, 6, 3))),
    *because(f"SYN-ACKs are not repeated by a timer: the peer repeats its SYN. {COOKIES}",
             ("SYN-ACK", ("not acknowledged for a second",), VARIANTS, not_repeated)),
    *because("A peer whose ACK was lost is not reminded of it: no SYN-ACK comes again. Where it waits for the host to "
             "speak first, it waits until it says something itself: that makes the connection. The plain kernel "
             f"repeats its SYN-ACK, and gets the ACK after a second. {COOKIES}",
             ("SYN-ACK", ("its ACK lost, the host is to speak",), VARIANTS, not_asked_again)),
)

# --- The ACK ----------------------------------------------------------------------------------------------------------


def dropped(step: str, *plain: str | Callable[[Variant], str]) -> Callable[[Variant], Steps]:
    """Of ours nothing comes."""
    return lambda v: {step: (tuple(each if isinstance(each, str) else each(v) for each in plain), NOTHING)}


def was_reset(step: str, *plain: Callable[[Variant], str]) -> Callable[[Variant], Steps]:
    return lambda v: {step: (tuple(each(v) for each in plain), (reset(),))}


def overtaken_by_data(v: Variant) -> Steps:
    """By the second of two segments. The plain kernel keeps it, and acknowledges both as soon as it has the first."""
    return {"2 second segment": ((v.ack(holds="1001 2001"),), NOTHING if v.stamped else (reset(),)),
            "4 first segment": ((v.ack(2001, 4),), (v.ack(1001, 4),)),
            "5 second segment again": ((v.ack(2001, 5, holds="1001 2001"),), (v.ack(2001, 5),))}


def overtaken_by_fin(v: Variant) -> Steps:
    return {"2 FIN behind data": ((v.ack(holds="1001 1002"),), NOTHING if v.stamped else (reset(),)),
            "3 data on the ACK": ((v.ack(1002, 3),), (v.ack(1001, 3),)),
            "4 FIN again": ((v.ack(1002, 4, holds="1001 1002"),), (v.ack(1002, 4),))}


def completed_after_reset(v: Variant) -> Steps:
    return {"3 ACK": ((reset(),), NOTHING), "4 application": (NOTHING, (v.connection(),))}


def completed_once_more(v: Variant) -> Steps:
    ended = v.connection("ECONNRESET", state="closed")
    return {"5 data": ((reset(),), (v.ack(13, 3),)),
            "6 application": ((ended,), (ended, v.connection("still there?")))}


def completed_deferred(v: Variant) -> Steps:
    return {"5 data": ((reset(),), (v.ack(13, 3),)), "6 application": (NOTHING, (v.connection("still there?"),))}


def accurate_ecn(v: Variant) -> Steps:
    return {"2 ACK": ((v.ack(5, 2),), (v.ack(5, 2, flags="AEN"),)),
            "3 data, congestion experienced": ((v.ack(9, 3, flags="AE"),), (v.ack(9, 3, flags="ACN"),)),
            "5 data": ((v.ack(15, 4, flags="AE"),), (v.ack(15, 4, flags="ACN"),)),
            "7 the host speaks: replies": ((v.ack(15, 4, flags="PAE", size=19),),
                                           (v.ack(15, 4, flags="PACN", size=19),))}


def believed(stamped: bool, read: str = "", echo: int = 2) -> Callable[[Variant], Steps]:
    """The ACK has timestamps or has none, and so has our connection; the plain kernel's is as agreed."""
    def steps(v: Variant) -> Steps:
        told, end = [read] if read else [], 1 + len(read)
        plain, ours = (lambda *read: (v.connection(*read),)), (lambda *read: (v.connection(*read, stamped=stamped),))
        acked = {"2 ACK": ((v.ack(end, 1),), (v.ack(end, 1, stamped=stamped),))} if read else {}
        return {**acked, "3 application": (plain(*told), ours(*told)),
                "4 data": ((v.ack(end + 6, 2),), (v.ack(end + 6, echo, stamped=stamped),)),
                "5 application": (plain("and on"), ours("and on")),
                "6 the host speaks: replies": ((v.ack(end + 6, 2, flags="PA", size=19),),
                                               (v.ack(end + 6, echo, flags="PA", size=19, stamped=stamped),))}
    return steps


def older_clock(v: Variant) -> Steps:
    return {"2 ACK": ((v.ack(),), NOTHING), "3 application": (NOTHING, (v.connection(),))}


def completed_by_data(v: Variant) -> Steps:
    """That follows the ACK, and has no timestamps."""
    return {"2 ACK": (NOTHING, (reset(),)), "3 application": ((v.connection(),), NOTHING)}


ONE_OFF = ("one too low, as keep-alive", "one too low, one byte")
FAR_OFF = ("far too low", "beyond the window", "beyond the window, with data")
ECHOES = ("an echo from before", "an echo from the future")

ACKS = (
    *because("A segment that completes nothing but echoes a timestamp not older than 60 s is dropped, not reset: it"
             " may belong to a handshake whose first segment was lost, which a reset would kill. It may as well "
             "belong to a connection that is no more: then the reset comes after 60 s.",
             *(("wrong acknowledgment", names, STAMPED, dropped("2 wrong", reset(ack))) for ack, names in (
                 (0, ("one too low",)), (2, ("one too high", "one too high, with data", "one too high, FIN")),
                 (-FAR, ("far too low",)), (FAR, ("far too high",)))),
             ("wrong sequence number", ONE_OFF + FAR_OFF, STAMPED, dropped("2 wrong", Variant.ack)),
             ("orderly", ("FIN of the peer",), STAMPED, dropped("8 one more", reset(21))),
             ("FIN on the ACK", ("alone", "with data"), STAMPED, dropped("8 one more", reset(21))),
             ("TCP_DEFER_ACCEPT", ("FIN on the ACK", "FIN with data on the ACK"), STAMPED,
              dropped("8 one more", reset(21)))),
    *because("Without timestamps, a segment that completes nothing is reset, where the plain kernel, which knows "
             f"the half-open connection, asks again or keeps it. {COOKIES}",
             ("wrong sequence number", FAR_OFF, UNSTAMPED, was_reset("2 wrong", Variant.ack)),
             ("data on the ACK", ("overtaken by the second segment",), UNSTAMPED, overtaken_by_data),
             ("FIN on the ACK", ("overtaking data",), UNSTAMPED, overtaken_by_fin)),
    *because("Without timestamps, a sequence number that is one off is reset as any other is. The plain kernel asks "
             "again, or waits for the byte that is missing. The kernel's own cookies take it for that of a peer with "
             "the next MSS of their table, where there is one, and the connection is then one byte off: the first "
             "byte is lost.",
             ("wrong sequence number", ONE_OFF, UNSTAMPED, was_reset("2 wrong", Variant.ack)),
             ("wrong sequence number", ("one too high",), UNSTAMPED, was_reset("2 wrong"))),
    *because("What overtakes the segment that completes the handshake is dropped and the peer sends it again; the "
             "plain kernel, which knows the half-open connection, keeps it. (The kernel's own cookies reset it.)",
             ("data on the ACK", ("overtaken by the second segment",), STAMPED, overtaken_by_data),
             ("FIN on the ACK", ("overtaking data",), STAMPED, overtaken_by_fin)),
    *because(f"A SYN-ACK in place of the ACK is reset, where the plain kernel asks again. {COOKIES}",
             ("in place of the ACK", ("SYN-ACK",), VARIANTS, was_reset("2 SYN-ACK", Variant.ack))),
    *because("An RST does not cancel a handshake: the ACK, should it come after all, still completes it, for as "
             "long as the cookie lives; and once more where it had completed it before and an RST had ended the "
             f"connection. {COOKIES}",
             ("RST after the SYN-ACK", ("exact", "exact, with ACK", "exact, with a wrong ACK"), VARIANTS,
              completed_after_reset),
             ("RST after the SYN-ACK", ("within the window",), VARIANTS, dropped("2 RST", Variant.ack)),
             ("RST after the SYN-ACK", ("established, exact", "established, exact, with ACK"), VARIANTS,
              completed_once_more)),
    *because("An RST after the ACK cancels nothing where the listener waits for data: nothing was kept of that ACK, "
             "and data completes the handshake. (The kernel's own cookies do not wait: the application gets the "
             "connection that was reset, and another one.)",
             ("TCP_DEFER_ACCEPT", ("RST after the ACK",), VARIANTS, completed_deferred)),
    *because("An ACK with CWR, which no peer sends before it has heard of congestion, is taken by the kernel for "
             "one of a peer that does AccECN: it looks at a cookie's ACK for that. So with the kernel's own "
             "cookies, where timestamps carry ECN through them.",
             ("flags on the ACK", ("ECN, CWR", "ECN, ECE and CWR"), VARIANTS, accurate_ecn)),
    *because("An ACK that lacks the timestamps agreed upon makes a connection without them: that they were agreed "
             "is known from the ACK alone. (The kernel's own cookies lose every other option then, too.)",
             ("options on the ACK", ("none",), STAMPED, believed(stamped=False)),
             ("options on the ACK", ("none, with data",), STAMPED, believed(stamped=False, read="request"))),
    *because("An ACK whose timestamp is older than its SYN's is taken: the SYN's is not kept. The plain kernel asks"
             f" again. {COOKIES}",
             ("options on the ACK", ("an older clock",), STAMPED, older_clock)),
    *because("An ACK that echoes a timestamp, but none of the last 60 s, is reset, where the plain kernel asks "
             "again. The kernel's own cookies do not look at the echo's age, and take from it which options were "
             "agreed.",
             ("options on the ACK", (*ECHOES, *(f"{each}, then a right one" for each in ECHOES)), STAMPED,
              was_reset("2 ACK", Variant.ack))),
    *because("Timestamps on the ACK are taken for agreed upon, where the SYN had none: they are held to their echo,"
             " and the ACK is reset; or, where they echo nothing, they are in force from then on. RFC 7323 forbids "
             "to send them. The plain kernel ignores them; its own cookies believe them.",
             *(("options on the ACK", (name,), UNSTAMPED, believed(stamped=True, echo=echo)) for name, echo in (
                 ("an older clock", -999), ("a clock far ahead", 2**31 - 1), ("an echo of nothing", 1))),
             ("options on the ACK", ECHOES, UNSTAMPED, completed_by_data),
             ("options on the ACK", tuple(f"{each}, then a right one" for each in ECHOES), UNSTAMPED,
              was_reset("2 ACK"))),
)

# --- The window -------------------------------------------------------------------------------------------------------


def close_windows(plain: object, ours: object) -> bool:
    """Within one MSS, in units of the scale that both SYN-ACKs promised."""
    if not (isinstance(plain, tuple) and isinstance(ours, tuple) and len(plain) == len(ours)):
        return False
    return all(abs(one - other) << SCALE <= MSS + (1 << SCALE) for one, other in zip(plain, ours))


SCALE, MSS = 10, 1460
WINDOW = ("The window of a connection made from a cookie is up to one MSS off the plain kernel's, either way: the "
          f"kernel computes it anew. {COOKIES}")
WINDOWS = tuple(Accepted("receive window", name, f"{step}: windows", WINDOW, close_windows) for name, steps in (
    ("handshake, data, *", ("4 data", "6 the host speaks")),
    ("data on the ACK, *", ("2 ACK", "4 data", "6 the host speaks"))) for step in steps)

# --- Late -------------------------------------------------------------------------------------------------------------


def refused(v: Variant) -> Steps:
    return {step: (plain, ours) for step, (ours, plain) in completed(v).items()}


def completed(v: Variant) -> Steps:
    """By ours, while the plain kernel has forgotten it."""
    return {"3 ACK": ((reset(),), NOTHING), "4 application": (NOTHING, (v.connection(),)),
            "5 data": ((reset(),), (v.ack(7, 3),)), "6 application": (NOTHING, (v.connection("and on"),)),
            "7 the host speaks": (NOTHING, (19,)),
            "7 the host speaks: replies": (None, (v.ack(7, 3, flags="PA", size=19),))}


ENACTED = "(late.py says what of the time is enacted.)"

# --- All --------------------------------------------------------------------------------------------------------------

ODDITIES = (*SYNS, *ACKS, *WINDOWS)

LATE = (
    *because("An ACK with timestamps completes a handshake for 60 s; the plain kernel keeps it for 63 s, its own "
             f"cookies for 60 to 120. {ENACTED}",
             ("late ACK, timestamps", ("62 s, the epoch has begun", "62 s, the epoch is nearly over"), STAMPED,
              refused)),
    *because("Without timestamps, an ACK completes a handshake as long as the key of its cookie lives, 64 to 128 s; "
             f"the plain kernel keeps it for 63 s. {ENACTED}",
             ("late ACK, no timestamps", ("70 s, the epoch has begun", "120 s, the epoch has begun"), UNSTAMPED,
              completed)),
)
