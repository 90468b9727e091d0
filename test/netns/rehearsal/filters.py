#!/usr/bin/python3
"""Ports that the packet filter closes, opens to some, or rejects: a peer sees the same with and without the adaptor."""

from __future__ import annotations

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from observing import OUTSIDE, ObservedTest, Question, Rules, from_everywhere  # noqa: E402
from rules import CLOSING, DROPPED, EARLY, OPEN, PROHIBITED, RESET, SOME_ONLY, UNREACHABLE  # noqa: E402
from rules import closing_by_iptables, empty, restore  # noqa: E402
from scene import main  # noqa: E402

PORTS = (DROPPED, SOME_ONLY, RESET, UNREACHABLE, PROHIBITED, OPEN)
CLOSED = 9999  # nobody listens


class FilterTest(ObservedTest):
    @classmethod
    def prepare(cls) -> None:
        for port in PORTS:
            cls.servers.add(port)

    def questions(self) -> list[Question]:
        return from_everywhere(*PORTS, CLOSED)

    def compare_all(self, rules: Rules) -> None:
        grown = self.compare(rules, self.questions(), served=PORTS)
        # Before and after, all ports are served to all; between, those that the rules leave alone.
        self.assertGreaterEqual(grown["admitted"], 2 * 4 * len(PORTS) + 4)
        self.assertEqual(grown["cookie_invalid"], 0)


class Nftables(FilterTest):
    def test_nftables(self) -> None:
        self.compare_all(Rules(lambda: self.nft(CLOSING), lambda: self.nft("delete table inet closing")))

    def test_prerouting_drop(self) -> None:
        self.compare_all(Rules(lambda: self.nft(EARLY), lambda: self.nft("delete table inet early")))

    def test_nobody_to_ask_for(self) -> None:
        """What was promised before the rules changed is no promise any more, even where nobody is known to ask for."""
        question = Question(DROPPED, OUTSIDE[4])
        with self.adapted(PORTS):
            self.assertEqual(self.look([question])[question][-2], "heard")
            for net, table in (("10.77.0.0/24", "-4"), ("fd77::/64", "-6")):
                self.scene.ip("server", f"{table} neigh flush to {net} nud all")
            self.nft(f"""
                table inet closing {{
                    chain input {{ type filter hook input priority filter; tcp dport {DROPPED} drop; }}
                }}""")
            self.addCleanup(self.nft, "delete table inet closing")
            self.addCleanup(self.scene.know, self.scene.server, self.scene.client)
            time.sleep(self.reaction)
            self.assertEqual(self.look([question])[question], ("silence", b""))


class Iptables(FilterTest):
    backend = "nft"

    def add(self) -> None:
        for v6 in (False, True):
            restore(self.scene, self.backend, v6, closing_by_iptables(v6))

    def remove(self) -> None:
        empty(self.scene, self.backend, "filter")

    def test_iptables(self) -> None:
        self.compare_all(Rules(self.add, self.remove))


class IptablesLegacy(Iptables):
    """The older back end announces nothing: its changes are found by looking every now and then."""

    backend = "legacy"


del FilterTest

if __name__ == "__main__":
    main()
