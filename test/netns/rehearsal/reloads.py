#!/usr/bin/python3
"""A packet filter that is changed again and again, on a host with very many listeners: all are asked about in turn, and
what cannot wait does not."""

from __future__ import annotations

import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from observing import ObservedTest  # noqa: E402
from scene import main, until  # noqa: E402

PORT = 9001
MANY = 4000
NAT = """
    table ip nat { chain postrouting { type nat hook postrouting priority srcnat; ip protocol icmp masquerade; }; }"""


class Crowd(threading.Thread):
    """Changes the packet filter again and again."""

    def __init__(self, test: ObservedTest) -> None:
        super().__init__(daemon=True)
        self.test = test
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.wait(0.05):
            self.test.nft("add table inet crowd; delete table inet crowd")

    def end(self) -> None:
        self.ending.set()
        self.join()


class Reloads(ObservedTest):
    @classmethod
    def prepare(cls) -> None:
        cls.servers.add(PORT)
        for port in range(10000, 10000 + MANY):
            cls.addClassCleanup(cls.scene.listen(port, family=6).close)

    def oldest(self) -> int:
        endpoints = self.scene.status("server")["endpoints"]
        return max(e["answer_age_seconds"] for e in endpoints)  # type: ignore[union-attr]

    def test_all_listeners_have_their_turn(self) -> None:
        with self.adapted((PORT,)):
            crowd = Crowd(self)
            crowd.start()
            try:
                time.sleep(12)
                oldest = self.oldest()
            finally:
                crowd.end()
        print(f"after 12 s of changes the oldest of {2 * MANY} answers is {oldest} s old", file=sys.stderr)
        self.assertLess(oldest, 10)

    def is_placed(self) -> bool:
        return self.scene.run("server", ["nft", "list table inet vestibule_default"], check=False).returncode == 0

    def test_our_rule_is_back_at_once(self) -> None:
        """Whoever loads a ruleset anew takes it along; until it is back, no connection can be handed over."""
        self.nft(NAT)
        self.addCleanup(self.nft, "flush ruleset")
        with self.adapted((PORT,)):
            self.assertTrue(until(self.is_placed, 2), "NAT rules are there, and no rule of ours")
            waited = []
            for _ in range(8):
                self.nft("flush ruleset\n" + NAT)
                began = time.monotonic()
                self.assertTrue(until(self.is_placed, 10, 0.005))
                waited.append(time.monotonic() - began)
        print("back after " + ", ".join(f"{seconds:.3f}" for seconds in waited) + " s", file=sys.stderr)
        self.assertLess(max(waited), 1.5)


if __name__ == "__main__":
    main()
