#!/usr/bin/python3
"""Ports that NAT leads elsewhere, and ports that it leaves alone: a peer sees the same with and without the adaptor."""

from __future__ import annotations

import pathlib
import sys
import threading
import time
import typing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from observing import OUTSIDE, ObservedTest, Question, Rules, Servers, Watch, accepted, from_everywhere  # noqa: E402
from rules import BEHIND, DOCKER, PLAIN, PUBLISHED, REDIRECTED, docker_by_iptables, empty, restore  # noqa: E402
from scene import main  # noqa: E402

TALKATIVE = 9004
REFUSALS = 3  # in a row: then a listener goes back to the stack (bpf/vitals.hpp)


class TranslationTest(ObservedTest):
    """A container stands behind the server, with a listener on the port that is published; so has the server itself."""

    @classmethod
    def prepare(cls) -> None:
        cls.box = cls.scene.container("box")
        cls.watches["box"] = Watch(cls.scene, "box")
        cls.inside = Servers(cls.scene, "box")
        cls.addClassCleanup(cls.inside.close)
        cls.inside.add(PUBLISHED)
        for port in (REDIRECTED, PUBLISHED, PLAIN, BEHIND):
            cls.servers.add(port)
        cls.servers.add(TALKATIVE, speak_first=True)
        # Link addresses behind the server are known, as they are where there is traffic.
        cls.scene.run("box", ["bash", "-c", "echo > /dev/tcp/10.88.1.1/9003; echo > /dev/tcp/fd88:1::1/9003"])

    def questions(self) -> list[Question]:
        return [*from_everywhere(REDIRECTED, PUBLISHED, PLAIN), *from_everywhere(TALKATIVE, speak_first=True)]

    def compare_all(self, rules: Rules) -> None:
        served = (REDIRECTED, PUBLISHED, PLAIN, TALKATIVE)
        grown = self.compare(rules, self.questions(), served=served)
        # Two ports of four are NAT's while it stands.
        self.assertGreaterEqual(grown["admitted"], 4 * (4 + 2 + 4))
        self.assertEqual(grown["handoff_failed"], 0)


class Nftables(TranslationTest):
    def test_redirect_and_dnat(self) -> None:
        self.compare_all(Rules(lambda: self.nft(DOCKER), lambda: self.nft("delete table inet docker")))

    def test_ruleset_reloaded(self) -> None:
        """The usual reload flushes everything, our own rule too."""
        def flush() -> None:
            self.nft("flush ruleset")

        def reload() -> None:
            self.nft(DOCKER)
            time.sleep(0.5)
            self.nft("flush ruleset\n" + DOCKER)

        self.compare_all(Rules(reload, flush))

    def test_dies_here(self) -> None:
        """The frames of a rehearsal that DNAT leads to a container never get there, nor do their ICMP errors leave."""
        self.nft(DOCKER)
        self.addCleanup(self.nft, "flush ruleset")
        before = len(self.watches["box"].frames)
        with self.adapted():
            for _ in range(3):
                self.nft("add table inet nothing")
                self.nft("delete table inet nothing")
                self.look(from_everywhere(PLAIN))
                time.sleep(0.5)  # killed in the midst of a rehearsal, the adaptor would leave its last question open
        seen = [s for s in self.watches["box"].seen()[before:] if PUBLISHED in s.ports]
        self.assertEqual(seen, [])
        self.assertEqual(self.leaks(), [])


class ByIptables(ObservedTest):
    """Rules of the older kind."""

    backend: str

    def rules(self, *, v6: bool) -> str:
        raise NotImplementedError

    def add(self) -> None:
        for v6 in (False, True):
            restore(self.scene, self.backend, v6, self.rules(v6=v6))

    def remove(self) -> None:
        empty(self.scene, self.backend, "nat")


class Iptables(ByIptables, TranslationTest):
    backend = "nft"

    def rules(self, *, v6: bool) -> str:
        return docker_by_iptables(v6)

    def test_redirect_and_dnat(self) -> None:
        self.compare_all(Rules(self.add, self.remove))


class IptablesLegacy(Iptables):
    """The older back end announces nothing: its changes are found by looking every now and then."""

    backend = "legacy"


class UnrelatedTest(ObservedTest):
    """NAT rules that have nothing to do with the ports served."""

    @classmethod
    def prepare(cls) -> None:
        cls.servers.add(PLAIN, backlog=512)
        cls.servers.add(TALKATIVE, backlog=512, speak_first=True)

    def add(self) -> None:
        raise NotImplementedError

    def remove(self) -> None:
        raise NotImplementedError

    def questions(self) -> list[Question]:
        return [*from_everywhere(PLAIN), *from_everywhere(TALKATIVE, speak_first=True)]

    def test_all_are_admitted(self) -> None:
        rules = Rules(self.add, self.remove)
        grown = self.compare(rules, self.questions(), differ=False, served=(PLAIN, TALKATIVE))
        self.assertEqual(grown["admitted"], 3 * len(self.questions()))

    def test_rules_come_and_go_while_serving(self) -> None:
        with self.adapted((PLAIN, TALKATIVE)):
            with Client(self) as client:
                for change in (self.add, self.remove) * 3:
                    change()
                    client.pause(0.4)
            # The hooks of NAT work some 30 ms before the kernel tells that they are there. By then three peers have been
            # refused and the listener is the stack's; what the kernel tells in the midst of it gives it another chance.
            self.assertLessEqual(len(client.troubles), 3 * 2 * REFUSALS)
            self.assertLess(client.worst_trouble(), 0.2)  # in 24 trials 0.09 once, else below 0.01
            with self.scene.growth() as grown:
                self.assertEqual(accepted(self.look(self.questions())), len(self.questions()))
        self.assertEqual(grown["admitted"], len(self.questions()))
        self.assertGreater(client.served, 200)


class UnrelatedRules(UnrelatedTest):
    MASQUERADE = """
        table ip unrelated {
            chain prerouting { type nat hook prerouting priority dstnat; tcp dport 7777 dnat to 10.88.9.9; }
            chain postrouting { type nat hook postrouting priority srcnat; masquerade; }
        }
        table ip6 unrelated {
            chain prerouting { type nat hook prerouting priority dstnat; tcp dport 7777 dnat to fd88:9::9; }
            chain postrouting { type nat hook postrouting priority srcnat; masquerade; }
        }"""

    def add(self) -> None:
        self.nft(self.MASQUERADE)

    def remove(self) -> None:
        self.nft("delete table ip unrelated; delete table ip6 unrelated")


class UnrelatedIptables(ByIptables, UnrelatedTest):
    backend = "nft"

    def rules(self, *, v6: bool) -> str:
        return "\n".join((
            "*nat",
            f"-A PREROUTING -p tcp --dport 7777 -j DNAT --to-destination {'fd88:9::9' if v6 else '10.88.9.9'}",
            "-A POSTROUTING -j MASQUERADE",
            "COMMIT", ""))


class UnrelatedIptablesLegacy(UnrelatedIptables):
    backend = "legacy"


class Client(threading.Thread):
    """Connects all the time; notes when that did not succeed."""

    def __init__(self, test: ObservedTest) -> None:
        super().__init__(daemon=True)
        self.test = test
        self.troubles: list[tuple[float, object]] = []
        self.served = 0
        self._end = threading.Event()

    def pause(self, seconds: float) -> None:
        self._end.wait(seconds)

    def run(self) -> None:
        while not self._end.is_set():
            try:
                with self.test.scene.connect(PLAIN, source=OUTSIDE[4], timeout=0.5) as connection:
                    connection.sendall(b"?")
                    if not connection.recv(64):
                        raise OSError("closed")
                self.served += 1
            except OSError as error:
                self.troubles.append((time.monotonic(), error))

    def worst_trouble(self) -> float:
        """The longest time, in seconds, through which connections kept failing."""
        worst = 0.0
        for at, _ in self.troubles:
            worst = max(worst, max(other for other, _ in self.troubles if other - at < 0.35) - at)
        return worst

    def __enter__(self) -> Client:
        self.start()
        return self

    def __exit__(self, *_: typing.Any) -> None:
        self._end.set()
        self.join()
        print(f"{self.served} served, {len(self.troubles)} in trouble, at most for {self.worst_trouble():.3f} s",
              file=sys.stderr)


del TranslationTest, UnrelatedTest

if __name__ == "__main__":
    main()
