"""SYNs that are answered otherwise than by the plain kernel, and why that is accepted (see accepted.py)."""

from __future__ import annotations

import typing

from accepted import Accepted, Fields

ECHOED = ("Linux sends an IPv4 option that records the route or timestamps back in its SYN-ACK, filled in further. The "
          "adaptor's SYN-ACK has no IP options, and what it left to the stack for the sake of one would be a way "
          "around the adaptor for every flood.")
UNREAD = ("The adaptor steps over IPv4 options and IPv6 extension headers and reads nothing in them but a source route. "
          "A SYN that Linux drops for their content gets a SYN-ACK, which nobody asked for; the completing segment, "
          "with the same content, is dropped by the stack.")
UNSEEN = ("An IPv6 SYN in a fragment header, even if it is whole, or behind more than eight extension headers, is "
          "dropped: what the adaptor cannot see through may not get around it.")
REFLECTED = ("With net.ipv6.flowlabel_reflect=1 Linux answers with the SYN's own flow label. The adaptor's SYN-ACK has "
             "a label of its own: no rehearsal asks for this.")


def adds_options(plain: typing.Any, ours: typing.Any) -> bool:
    return str(plain).startswith(("7 ", "68 ")) and ours == ""


def refused(plain: Fields, ours: Fields) -> bool:
    return plain["reply"] in ("silence", "ICMP 12.0", "ICMPv6 4.0", "ICMPv6 4.2") and ours["reply"] == "SA"


def dropped(plain: Fields, ours: Fields) -> bool:
    return plain["reply"] == "SA" and ours == {"reply": "silence"}


def reflected(plain: typing.Any, ours: typing.Any) -> bool:
    return (plain, ours) == ("the SYN's", "its own")


SYNS: tuple[Accepted, ...] = (
    Accepted("IP options, echoed, IPv4", "*", "IP options", ECHOED, within=adds_options),
    Accepted("IP options, refused, IPv4", "*", "*", UNREAD, given=refused),
    Accepted("extension headers, refused, IPv6", "*", "*", UNREAD, given=refused),
    Accepted("extension headers, dropped, IPv6", "*", "*", UNSEEN, given=dropped),
    Accepted("flowlabel_reflect 1, IPv6", "*", "flow label", REFLECTED, within=reflected),
)
