"""What peers do that is not quite in order, from the SYN on: scripts of test/netns/differential/conversation.py."""

from __future__ import annotations

import dataclasses
import socket
import struct

from conversation import LOOK, Action, App, Peer, Script, Steps
from frames import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, Segment

AHEAD, FAR = 30_000, 1_000_000  # within the window of the SYN-ACK, and beyond it

# For 10 ms after a handshake the handoff takes what the peer sends for what follows it, not for another one.
A_MOMENT = "a moment later", 0.05

SAY = App(lambda connection: connection.send(b"hello from the host"))
CLOSE = App(lambda connection: connection.close())
NO_MORE = App(lambda connection: connection.shutdown(socket.SHUT_WR))


@dataclasses.dataclass(frozen=True)
class Oddity:
    group: str
    name: str
    script: Script


def opening(p: Peer) -> Steps:
    yield "SYN", p.syn()
    yield "ACK", p.ack()


def tail(p: Peer) -> Steps:
    """Whether the two can talk, and what the application has seen."""
    yield "application", LOOK
    yield "data", p.ack(b"and on", seq=p.next)
    yield "application", LOOK
    yield "the host speaks", SAY


# --- SYNs -------------------------------------------------------------------------------------------------------------

def syn_again(times: int, **fields: object) -> Script:
    def script(p: Peer) -> Steps:
        yield "SYN", p.syn()
        for _ in range(times):
            yield "SYN again", p.syn(**fields)
        yield "ACK", p.ack()
        yield from tail(p)
    return script


def syn_again_in_one_go(p: Peer) -> Steps:
    yield "SYN, twice", [p.syn(), p.syn()]
    yield "ACK", p.ack()
    yield from tail(p)


def syn_again_with_other_options(p: Peer) -> Steps:
    yield "SYN", p.syn()
    yield "SYN with an MSS alone", p.syn(struct.pack("!BBH", 2, 4, 1300))
    yield "ACK", p.ack()
    yield from tail(p)


def syn_when_established(seq: int) -> Script:
    def script(p: Peer) -> Steps:
        yield from opening(p)
        yield "SYN", p.segment(SYN, seq, None, options=p.offer())
        yield from tail(p)
    return script


def syn_after_fin(p: Peer) -> Steps:
    yield from opening(p)
    yield "FIN", p.ack(flags=FIN)
    yield "SYN", p.syn()
    yield "application", LOOK


def new_syn(seq: int, *then: str) -> Script:
    """A second SYN with another ISN, before the ACK to the first."""
    def script(p: Peer) -> Steps:
        yield "SYN", p.syn()
        first = p.theirs
        yield "SYN with a new ISN", p.segment(SYN, seq, None, options=p.offer())
        p.turn()
        second = p.theirs
        for each in then:
            p.theirs = first if each == "first" else second
            yield f"ACK of the {each}", p.ack(seq=1 if each == "first" else seq + 1)
        yield "application", LOOK
    return script


def new_syn_after_reset(p: Peer) -> Steps:
    yield from opening(p)
    yield "RST", p.segment(RST, 1, None, options=b"")
    yield A_MOMENT
    yield "SYN with a new ISN", p.segment(SYN, AHEAD, None, options=p.offer())
    p.turn()
    yield "ACK", p.ack(seq=AHEAD + 1)
    yield "application", LOOK


def waiting(p: Peer) -> Steps:
    """The host is in TIME-WAIT then."""
    yield from opening(p)
    yield "the host closes", CLOSE
    yield "FIN", p.ack(flags=FIN, ack=2)


def syn_in_time_wait(higher: bool, newer: bool) -> Script:
    def script(p: Peer) -> Steps:
        yield from waiting(p)
        seq = FAR if higher else -FAR
        if not newer:
            p.sent -= 1000
        yield "SYN", p.segment(SYN, seq, None, options=p.offer())
        p.turn()
        yield "ACK", p.ack(seq=seq + 1)
        yield "application", LOOK
    return script


def syn_after_time_wait(p: Peer) -> Steps:
    """The connection that ended the TIME-WAIT is reset; then one more begins."""
    yield from syn_in_time_wait(higher=True, newer=True)(p)
    yield "RST", p.segment(RST, FAR + 1, None, options=b"")
    yield A_MOMENT
    yield "SYN once more", p.segment(SYN, 2 * FAR, None, options=p.offer())
    p.turn()
    yield "ACK once more", p.ack(seq=2 * FAR + 1)
    yield "application", LOOK


def others_in_time_wait(p: Peer) -> Steps:
    yield from waiting(p)
    yield "FIN again", p.ack(flags=FIN, ack=2)
    yield "data", p.ack(b"late", ack=2, seq=2)
    yield "RST", p.segment(RST, 2, None, options=b"")


def syn_data(p: Peer) -> Steps:
    yield "SYN with data", p.segment(SYN, 0, None, b"early", options=p.offer())
    yield "ACK with the data again", p.ack(b"early")
    p.next = 6
    yield from tail(p)


def unanswered(p: Peer) -> Steps:
    yield "SYN", p.syn()
    yield "1.3 s later", 1.3
    yield "ACK", p.ack()
    yield from tail(p)


def lost_ack(p: Peer) -> Steps:
    """The peer has sent it, and sends it again to every SYN-ACK; it waits for what the host has to say."""
    yield "SYN", p.syn()
    yield "1.3 s later", 1.3
    yield "ACK again", [p.ack()] if p.synacks > 1 else []
    yield "application", LOOK
    yield "the host speaks", SAY
    yield "the peer speaks", p.ack(b"is there anybody?")
    yield "application", LOOK


# --- The ACK ----------------------------------------------------------------------------------------------------------

def wrong_then_right(**fields: object) -> Script:
    """A segment in place of the ACK, then the ACK."""
    def script(p: Peer) -> Steps:
        yield "SYN", p.syn()
        yield "wrong", p.ack(**fields)
        yield "ACK", p.ack()
        yield from tail(p)
    return script


def completing(**fields: object) -> Script:
    """A handshake completed by that segment."""
    def script(p: Peer) -> Steps:
        yield "SYN", p.syn()
        yield "ACK", p.ack(**fields)
        p.next = 1 + len(fields.get("payload", b""))
        yield from tail(p)
    return script


def ecn(**fields: object) -> Script:
    def script(p: Peer) -> Steps:
        yield "SYN, ECN", p.segment(SYN | ECE | CWR, 0, None, options=p.offer())
        yield "ACK", p.ack(**fields)
        p.next = 1 + len(fields.get("payload", b""))
        yield "data, congestion experienced", p.ack(b"data", seq=p.next, tos=3)
        p.next += 4
        yield from tail(p)
    return script


def with_options(options: bytes, payload: bytes = b"", alone: bool = False) -> Script:
    """The ACK with options besides those that are due, or with them alone. What follows has those that are due."""
    def script(p: Peer) -> Steps:
        yield "SYN", p.syn()
        yield "ACK", p.ack(payload, options=options if alone else p.due() + options)
        p.next = 1 + len(payload)
        yield from tail(p)
    return script


def with_stamps(value: int = 0, echo: int = 0, echo_nothing: bool = False, then: bool = False) -> Script:
    """The ACK with other timestamps than are due."""
    def script(p: Peer) -> Steps:
        yield "SYN", p.syn()
        due = p.tick() + value, 0 if echo_nothing else p.stamp + echo
        yield "ACK", p.ack(options=b"\1\1" + struct.pack("!BBII", 8, 10, due[0] % 2**32, due[1] % 2**32))
        if then:
            yield "ACK as it is due", p.ack()
        yield from tail(p)
    return script


def segments_at_once(p: Peer) -> Steps:
    yield "SYN", p.syn()
    yield "ACK and data, at once", [p.ack(), p.ack(b"a" * 1000), p.ack(b"b" * 1000, seq=1001)]
    p.next = 2001
    yield from tail(p)


def data_and_fin_at_once(p: Peer) -> Steps:
    yield "SYN", p.syn()
    yield "ACK, data and FIN, at once", [p.ack(), p.ack(b"a" * 1000), p.ack(seq=1001, flags=FIN)]
    yield "application", LOOK
    yield "the host closes", CLOSE
    yield "last ACK", p.ack(seq=1002, ack=2)


def data_segments(p: Peer) -> Steps:
    yield "SYN", p.syn()
    yield "data on the ACK", p.ack(b"a" * 1000)
    yield "more", p.ack(b"b" * 1000, seq=1001)
    yield "and the bare ACK", p.ack()
    p.next = 2001
    yield from tail(p)


def overtaken_by_data(p: Peer) -> Steps:
    """The second segment comes before the first."""
    yield "SYN", p.syn()
    yield "second segment", p.ack(b"b" * 1000, seq=1001)
    yield "ACK", p.ack()
    yield "first segment", p.ack(b"a" * 1000)
    yield "second segment again", p.ack(b"b" * 1000, seq=1001)
    p.next = 2001
    yield from tail(p)


def overtaken_by_fin(p: Peer) -> Steps:
    yield "SYN", p.syn()
    yield "FIN behind data", p.ack(seq=1001, flags=FIN)
    yield "data on the ACK", p.ack(b"a" * 1000)
    yield "FIN again", p.ack(seq=1001, flags=FIN)
    yield "application", LOOK


def fin(payload: bytes = b"") -> Script:
    def script(p: Peer) -> Steps:
        yield "SYN", p.syn()
        yield "FIN on the ACK", p.ack(payload, flags=FIN)
        yield "application", LOOK
        yield "the host speaks", SAY
        yield "the host closes", CLOSE
        yield "last ACK", p.ack(seq=len(payload) + 2, ack=21)
        yield A_MOMENT
        yield "one more", p.ack(seq=len(payload) + 2, ack=21)
    return script


def deferred_fin(p: Peer) -> Steps:
    yield from opening(p)
    yield "FIN", p.ack(flags=FIN)
    yield "application", LOOK


def fin_without_ack(p: Peer) -> Steps:
    yield "SYN", p.syn()
    yield "FIN alone", p.segment(FIN, 1, None)
    yield "ACK", p.ack()
    yield from tail(p)


def reset(seq: int, flags: int = RST, ack: int | None = None) -> Script:
    """An RST after the SYN-ACK, then the ACK all the same."""
    def script(p: Peer) -> Steps:
        yield "SYN", p.syn()
        yield "RST", p.segment(flags, seq, ack, options=b"")
        yield "ACK", p.ack()
        yield "application", LOOK
    return script


def reset_when_established(seq: int, flags: int = RST, ack: int | None = None) -> Script:
    def script(p: Peer) -> Steps:
        yield from opening(p)
        yield "RST", p.segment(flags, seq, ack, options=b"")
        yield A_MOMENT
        yield "data", p.ack(b"still there?")
        yield "application", LOOK
    return script


def ack_again(payload: bytes, times: int, at_once: bool = False) -> Script:
    def script(p: Peer) -> Steps:
        yield "SYN", p.syn()
        if at_once:
            yield f"ACK, {times + 1} times at once", [p.ack(payload) for _ in range(times + 1)]
        else:
            for _ in range(times + 1):
                yield "ACK", p.ack(payload)
        p.next = 1 + len(payload)
        yield from tail(p)
    return script


# --- Established ------------------------------------------------------------------------------------------------------

def established(title: str, **fields: object) -> Script:
    def script(p: Peer) -> Steps:
        yield from opening(p)
        yield title, p.ack(**fields)
        yield from tail(p)
    return script


def urgent_later(p: Peer) -> Steps:
    yield from opening(p)
    yield "data", p.ack(b"abc")
    yield "urgent data", p.ack(b"def!", seq=4, flags=URG, urgent=4)
    p.next = 8
    yield from tail(p)


def window(of_syn: int, of_ack: int, later: int) -> Script:
    """The host has something to say; the window opens later."""
    def script(p: Peer) -> Steps:
        yield "SYN", p.syn(window=of_syn)
        yield "ACK", p.ack(window=of_ack)
        yield "the host speaks", SAY
        yield "window", p.ack(window=later)
        yield "acknowledged", p.ack(ack=20, window=later)
        yield "application", LOOK
    return script


def window_shut_while_sending(p: Peer) -> Steps:
    yield "SYN", p.syn()
    yield "ACK with data, window 0", p.ack(b"request", window=0)
    yield "application", LOOK
    yield "the host speaks", SAY
    yield "window of 5 bytes", p.ack(seq=8, window=5)
    yield "window", p.ack(seq=8, ack=1)
    yield "application", LOOK


def half_closed(p: Peer) -> Steps:
    """The host has no more to say; the peer has."""
    yield from opening(p)
    yield "the host has no more to say", NO_MORE
    yield "data", p.ack(b"but I have", ack=2)
    yield "FIN", p.ack(seq=11, ack=2, flags=FIN)
    yield "application", LOOK


# --- Without a handshake ----------------------------------------------------------------------------------------------

def stray(flags: int, payload: bytes = b"") -> Script:
    def script(p: Peer) -> Steps:
        yield "stray", p.segment(flags, 1, 1, payload)
        yield "application", LOOK
    return script


def stray_synack(p: Peer) -> Steps:
    yield "SYN-ACK", p.segment(SYN | ACK, 0, 1, options=p.offer())
    yield "application", LOOK


def half_open_synack(p: Peer) -> Steps:
    """A SYN-ACK where the ACK is due."""
    yield "SYN", p.syn()
    yield "SYN-ACK", p.segment(SYN | ACK, 0, 1, options=p.offer())
    yield "ACK", p.ack()
    yield from tail(p)


def half_open(flags: int, payload: bytes = b"") -> Script:
    """A segment without ACK where the ACK is due."""
    def script(p: Peer) -> Steps:
        yield "SYN", p.syn()
        yield "without ACK", p.segment(flags, 1, None, payload)
        yield "ACK", p.ack()
        yield from tail(p)
    return script


XMAS = FIN | PSH | URG
NS, RESERVED = 0x100, 0xE00
MSS_AND_SCALE = b"\2\4\3\xe8\1\3\3\2"

RECEIVE_WINDOW = "receive window"
DEFERRED = "TCP_DEFER_ACCEPT"  # of the listener

ODDITIES = [Oddity(*each) for each in (
    (RECEIVE_WINDOW, "handshake, data", completing()),
    (RECEIVE_WINDOW, "data on the ACK", completing(payload=b"1" * 1400)),

    ("orderly", "handshake, data", completing()),
    ("orderly", "half-closed by the host", half_closed),
    ("orderly", "FIN of the peer", fin(b"that is all")),

    ("duplicate SYN", "before the ACK", syn_again(1)),
    ("duplicate SYN", "three times before the ACK", syn_again(3)),
    ("duplicate SYN", "two at once", syn_again_in_one_go),
    ("duplicate SYN", "with other options", syn_again_with_other_options),
    ("duplicate SYN", "with another window", syn_again(1, window=1000)),
    ("duplicate SYN", "when established", syn_when_established(0)),
    ("duplicate SYN", "after a FIN", syn_after_fin),

    ("SYN with a new ISN", "within the window, ACK of the second", new_syn(AHEAD, "second")),
    ("SYN with a new ISN", "beyond the window, ACK of the second", new_syn(FAR, "second")),
    ("SYN with a new ISN", "before the first, ACK of the second", new_syn(-FAR, "second")),
    ("SYN with a new ISN", "within the window, ACK of the first", new_syn(AHEAD, "first")),
    ("SYN with a new ISN", "beyond the window, ACK of the first", new_syn(FAR, "first")),
    ("SYN with a new ISN", "ACK of both, first first", new_syn(FAR, "first", "second")),
    ("SYN with a new ISN", "ACK of both, second first", new_syn(FAR, "second", "first")),
    ("SYN with a new ISN", "established, within the window", syn_when_established(AHEAD)),
    ("SYN with a new ISN", "established, beyond the window", syn_when_established(FAR)),
    ("SYN with a new ISN", "established, before the window", syn_when_established(-FAR)),
    ("SYN with a new ISN", "after an RST", new_syn_after_reset),

    ("TIME-WAIT", "SYN, higher ISN, newer clock", syn_in_time_wait(True, True)),
    ("TIME-WAIT", "SYN, higher ISN, older clock", syn_in_time_wait(True, False)),
    ("TIME-WAIT", "SYN, lower ISN, newer clock", syn_in_time_wait(False, True)),
    ("TIME-WAIT", "SYN, lower ISN, older clock", syn_in_time_wait(False, False)),
    ("TIME-WAIT", "SYN, and another one later", syn_after_time_wait),
    ("TIME-WAIT", "FIN, data, RST", others_in_time_wait),

    ("SYN", "with data", syn_data),
    ("SYN-ACK", "not acknowledged for a second", unanswered),
    ("SYN-ACK", "its ACK lost, the host is to speak", lost_ack),

    ("wrong acknowledgment", "one too low", wrong_then_right(ack=0)),
    ("wrong acknowledgment", "one too high", wrong_then_right(ack=2)),
    ("wrong acknowledgment", "far too low", wrong_then_right(ack=-FAR)),
    ("wrong acknowledgment", "far too high", wrong_then_right(ack=FAR)),
    ("wrong acknowledgment", "one too high, with data", wrong_then_right(ack=2, payload=b"data")),
    ("wrong acknowledgment", "one too high, FIN", wrong_then_right(ack=2, flags=FIN)),
    ("wrong acknowledgment", "established, too high", established("ACK of what was not sent", ack=1000)),
    ("wrong acknowledgment", "established, too low", established("old ACK", ack=-FAR)),
    ("wrong acknowledgment", "established, too low, with data", established("old ACK", ack=-FAR, payload=b"old")),

    ("wrong sequence number", "one too low, as keep-alive", wrong_then_right(seq=0)),
    ("wrong sequence number", "one too low, one byte", wrong_then_right(seq=0, payload=b"x")),
    ("wrong sequence number", "one too high", wrong_then_right(seq=2)),
    ("wrong sequence number", "far too low", wrong_then_right(seq=-FAR)),
    ("wrong sequence number", "beyond the window", wrong_then_right(seq=FAR)),
    ("wrong sequence number", "beyond the window, with data", wrong_then_right(seq=FAR, payload=b"data")),
    ("wrong sequence number", "established, as keep-alive", established("keep-alive", seq=0)),
    ("wrong sequence number", "established, one old byte", established("keep-alive", seq=0, payload=b"x")),
    ("wrong sequence number", "established, beyond the window", established("data", seq=FAR, payload=b"x")),
    ("wrong sequence number", "established, before the window", established("data", seq=-FAR, payload=b"x")),
    ("wrong sequence number", "established, a gap", established("data", seq=1001, payload=b"x" * 9)),

    ("data on the ACK", "one byte", completing(payload=b"1")),
    ("data on the ACK", "a full segment", completing(payload=b"1" * 1400)),
    ("data on the ACK", "several segments", data_segments),
    ("data on the ACK", "ACK and two segments at once", segments_at_once),
    ("data on the ACK", "ACK, data and FIN at once", data_and_fin_at_once),
    ("data on the ACK", "overtaken by the second segment", overtaken_by_data),

    ("FIN on the ACK", "alone", fin()),
    ("FIN on the ACK", "with data", fin(b"that is all")),
    ("FIN on the ACK", "overtaking data", overtaken_by_fin),
    ("FIN on the ACK", "without ACK", fin_without_ack),

    ("RST after the SYN-ACK", "exact", reset(1)),
    ("RST after the SYN-ACK", "within the window", reset(AHEAD)),
    ("RST after the SYN-ACK", "beyond the window", reset(FAR)),
    ("RST after the SYN-ACK", "before the window", reset(-FAR)),
    ("RST after the SYN-ACK", "exact, with ACK", reset(1, RST | ACK, 1)),
    ("RST after the SYN-ACK", "exact, with a wrong ACK", reset(1, RST | ACK, 1000)),
    ("RST after the SYN-ACK", "established, exact", reset_when_established(1)),
    ("RST after the SYN-ACK", "established, within the window", reset_when_established(AHEAD)),
    ("RST after the SYN-ACK", "established, beyond the window", reset_when_established(FAR)),
    ("RST after the SYN-ACK", "established, exact, with ACK", reset_when_established(1, RST | ACK, 1)),

    ("ACK again", "once", ack_again(b"", 1)),
    ("ACK again", "three times", ack_again(b"", 3)),
    ("ACK again", "with its data", ack_again(b"request", 1)),
    ("ACK again", "three times at once", ack_again(b"", 2, at_once=True)),
    ("ACK again", "three times at once, with data", ack_again(b"request", 2, at_once=True)),

    ("urgent", "on the ACK", completing(payload=b"go!", flags=URG, urgent=3)),
    ("urgent", "on the ACK, in the midst", completing(payload=b"go on", flags=URG, urgent=2)),
    ("urgent", "on the ACK, beyond its data", completing(payload=b"go!", flags=URG, urgent=4)),
    ("urgent", "on the ACK, far beyond", completing(flags=URG, urgent=10)),
    ("urgent", "on the ACK, pointer 0", completing(payload=b"go!", flags=URG, urgent=0)),
    ("urgent", "a pointer without the flag", completing(payload=b"go!", urgent=3)),
    ("urgent", "later", urgent_later),

    ("window 0", "on the ACK, opened later", window(64240, 0, 64240)),
    ("window 0", "on the SYN", window(0, 64240, 64240)),
    ("window 0", "on both, opened later", window(0, 0, 64240)),
    ("window 0", "small on the ACK", window(64240, 1, 64240)),
    ("window 0", "never opened", window(64240, 0, 0)),
    ("window 0", "with data", window_shut_while_sending),

    ("flags on the ACK", "PSH", completing(flags=PSH)),
    ("flags on the ACK", "ECE", completing(flags=ECE)),
    ("flags on the ACK", "CWR", completing(flags=CWR)),
    ("flags on the ACK", "ECE, CWR, NS", completing(flags=ECE | CWR | NS)),
    ("flags on the ACK", "reserved", completing(flags=RESERVED)),
    ("flags on the ACK", "ECN", ecn()),
    ("flags on the ACK", "ECN, ECE", ecn(flags=ECE)),
    ("flags on the ACK", "ECN, CWR", ecn(flags=CWR, payload=b"data")),
    ("flags on the ACK", "ECN, ECE and CWR", ecn(flags=ECE | CWR, payload=b"data")),
    ("flags on the ACK", "ECN, congestion experienced", ecn(payload=b"data", tos=3)),

    ("options on the ACK", "none", with_options(b"", alone=True)),
    ("options on the ACK", "none, with data", with_options(b"", b"request", alone=True)),
    ("options on the ACK", "MSS and scale once more", with_options(MSS_AND_SCALE)),
    ("options on the ACK", "unknown", with_options(b"\xfd\4ab")),
    ("options on the ACK", "malformed", with_options(b"\3\0\1\1")),
    ("options on the ACK", "end of options", with_options(b"\0\0\0\0")),
    ("options on the ACK", "an older clock", with_stamps(value=-1000)),
    ("options on the ACK", "a clock far ahead", with_stamps(value=2**31 - 2)),
    ("options on the ACK", "an echo of nothing", with_stamps(echo_nothing=True)),
    ("options on the ACK", "an echo from before", with_stamps(echo=-100_000)),
    ("options on the ACK", "an echo from before, then a right one", with_stamps(echo=-100_000, then=True)),
    ("options on the ACK", "an echo from the future", with_stamps(echo=100_000)),
    ("options on the ACK", "an echo from the future, then a right one", with_stamps(echo=100_000, then=True)),

    (DEFERRED, "ACK, then data", completing()),
    (DEFERRED, "data on the ACK", completing(payload=b"request")),
    (DEFERRED, "ACK twice, then data", ack_again(b"", 1)),
    (DEFERRED, "ACK and data at once", segments_at_once),
    (DEFERRED, "FIN on the ACK", fin()),
    (DEFERRED, "FIN with data on the ACK", fin(b"that is all")),
    (DEFERRED, "FIN after the ACK", deferred_fin),
    (DEFERRED, "duplicate SYN", syn_again(1)),
    (DEFERRED, "duplicate SYN after the ACK", syn_when_established(0)),
    (DEFERRED, "RST after the ACK", reset_when_established(1)),

    ("without a handshake", "ACK", stray(ACK)),
    ("without a handshake", "ACK with data", stray(ACK | PSH, b"data")),
    ("without a handshake", "FIN", stray(FIN)),
    ("without a handshake", "FIN, ACK", stray(FIN | ACK)),
    ("without a handshake", "RST", stray(RST)),
    ("without a handshake", "RST, ACK", stray(RST | ACK)),
    ("without a handshake", "no flags", stray(0)),
    ("without a handshake", "no flags, data", stray(0, b"data")),
    ("without a handshake", "FIN, PSH, URG", stray(XMAS)),
    ("without a handshake", "every flag but SYN and RST", stray(XMAS | ACK | ECE | CWR)),
    ("without a handshake", "URG", stray(URG)),
    ("without a handshake", "SYN-ACK", stray_synack),

    ("in place of the ACK", "SYN-ACK", half_open_synack),
    ("in place of the ACK", "no flags", half_open(0)),
    ("in place of the ACK", "no flags, data", half_open(0, b"data")),
    ("in place of the ACK", "PSH, data", half_open(PSH, b"data")),
    ("in place of the ACK", "FIN, PSH, URG", half_open(XMAS)),
)]
