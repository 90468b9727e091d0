"""A peer by what its segments look like, and what a host in good order says to it, in the words of conversation.py."""

from __future__ import annotations

import itertools
import typing


class Variant(typing.NamedTuple):
    family: int
    stamped: bool  # does timestamps

    @property
    def clock(self) -> str:
        return "timestamps" if self.stamped else "no timestamps"

    def __str__(self) -> str:
        return f"IPv{self.family}, {self.clock}"

    # --- What comes back ----------------------------------------------------------------------------------------------

    def synack(self, echo: int = 1, ack: int = 1, which: int = 1, clock: str = "") -> str:
        """To an offer of everything; `which` of the host's ISNs it brings."""
        options = f"SACK{self.echoes(echo)}{clock}, scale 10"
        return f"{self.bare_synack(ack, which, 12 if self.stamped else 0)}, {options}"

    def bare_synack(self, ack: int = 1, which: int = 1, options: int = 0) -> str:
        """To an offer of an MSS alone. The window is a multiple of what `options` leave of a segment."""
        window = {4: {0: 64240, 12: 65160}, 6: {0: 64800, 12: 64260}}[self.family][options]
        fragment = ", DF" if self.family == 4 else ""
        return f"SA, {seq(0, which)}, ack {ack}, window {window}, TTL 64, TOS 0{fragment}, MSS {self.mss}"

    def ack(self, ack: int = 1, echo: int = 1, *, flags: str = "A", at: int = 1, which: int = 1, size: int = 0,
            holds: str = "", stamped: bool | None = None) -> str:
        """`echo` is the number of the segment whose timestamp comes back, of as many as the peer has sent."""
        words = flags, seq(at, which), f"ack {ack}", f"{size} bytes" if size else ""
        return ", ".join(filter(None, words)) + self.echoes(echo, stamped) + (f", holds {holds}" if holds else "")

    def echoes(self, echo: int, stamped: bool | None = None) -> str:
        return f", echoes {echo}" if (self.stamped if stamped is None else stamped) else ""

    # --- What the application sees ------------------------------------------------------------------------------------

    @property
    def mss(self) -> int:
        return 1460 if self.family == 4 else 1440

    def connection(self, *read: str, state: str = "established", stamped: bool | None = None) -> dict[str, object]:
        """With all that was offered, but for timestamps maybe."""
        agreed = self.stamped if stamped is None else stamped
        shift, mss = (7 if self.stamped else 8), self.mss - (12 if agreed else 0)
        return {"state": state, "options": 7 if agreed else 6, "scales": (shift, 10), "mss": (mss, mss),
                "peer's window": 64240 << shift, "urgent": "none", "read": list(read)}


def seq(number: int, which: int = 1) -> str:
    return f"seq {number}" + (f" of SYN-ACK {which}" if which > 1 else "")


def reset(at: int = 1) -> str:
    """Of a segment that acknowledges so much."""
    return f"R, seq {at}, ack zero"


VARIANTS = tuple(itertools.starmap(Variant, itertools.product((4, 6), (True, False))))
STAMPED, UNSTAMPED = (tuple(v for v in VARIANTS if v.stamped is wanted) for wanted in (True, False))
