#!/usr/bin/python3
"""Listeners that come, go, are full, stand at one address only, or are very many: a peer sees what it sees without us,
and a rehearsal takes nothing from it."""

from __future__ import annotations

import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from observing import INSIDE, OUTSIDE, ObservedTest, Question, Rules, accepted, from_everywhere  # noqa: E402
from scene import main, until  # noqa: E402

PORT, NARROW, LOCAL, BOUND = 9001, 9002, 9003, 9004
SO_BINDTODEVICE = 25


class Listeners(ObservedTest):
    @classmethod
    def prepare(cls) -> None:
        cls.servers.add(PORT)
        cls.servers.add(NARROW, family=4, address="10.77.0.2")
        cls.servers.add(LOCAL, family=4, address="127.0.0.1")
        cls.servers.add(BOUND, prepare=lambda s: s.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, b"lo"))

    def rehearse(self) -> None:
        self.nft("add table inet nothing")
        self.nft("delete table inet nothing")
        time.sleep(0.4)

    def test_at_one_address_or_interface(self) -> None:
        questions = from_everywhere(PORT, NARROW, LOCAL, BOUND)
        plain = self.look(questions)
        with self.adapted((PORT,)), self.scene.growth() as grown:
            self.same(plain, self.look(questions), "adapted")
        self.assertEqual((accepted(plain), grown["admitted"]), (6, 6))

    def test_come_and_go(self) -> None:
        questions = from_everywhere(9010)
        listener: list[socket.socket] = []
        rules = Rules(lambda: listener.append(self.servers.add(9010)), lambda: self.servers.remove(listener.pop()))
        grown = self.compare(rules, questions, served=(PORT,))
        self.assertEqual(grown["admitted"], 4)

    def test_gone_means_reset_at_once(self) -> None:
        listener = self.servers.add(9011)
        with self.adapted((9011,)):
            self.servers.remove(listener)
            for sight in self.look(from_everywhere(9011)).values():
                self.assertEqual(sight[-2], "ECONNREFUSED")

    def test_address_comes_and_goes(self) -> None:
        """An address that is not the host's any more is not the adaptor's either."""
        for address in ("10.77.0.9", "fd77::9"):
            self.scene.ip("client", f"neigh replace {address} lladdr {self.scene.server.link} dev eth0 nud permanent")
        questions = [Question(PORT, where[family], target)
                     for family, target in ((4, "10.77.0.9"), (6, "fd77::9")) for where in (INSIDE, OUTSIDE)]

        def change(verb: str) -> None:
            self.scene.ip("server", f"address {verb} 10.77.0.9/24 dev eth0")
            self.scene.ip("server", f"address {verb} fd77::9/64 dev eth0" + (" nodad" if verb == "add" else ""))

        grown = self.compare(Rules(lambda: change("add"), lambda: change("del")), questions, served=(PORT,))
        self.assertEqual(grown["admitted"], 4)

    def test_full_queue(self) -> None:
        """While it is full, its listener stays silent for rehearsals too; then it goes on being served."""
        listener = self.scene.listen(9012, family=6, backlog=1)
        self.addCleanup(listener.close)
        with self.adapted():
            self.scene.wait_until_served(9012)
            waiting = [self.scene.connect(9012) for _ in range(2)]
            self.assertTrue(until(lambda: "2      1" in self.queue(), 1), self.queue())
            for _ in range(3):
                self.rehearse()
            self.scene.wait_until_served(9012)
            for connection in waiting:
                listener.accept()[0].close()
                connection.close()
            with self.scene.growth() as grown:
                self.scene.connect(9012).close()
                listener.accept()[0].close()
            self.assertEqual((grown["syn_answered"], grown["admitted"]), (1, 1))

    def queue(self) -> str:
        return self.scene.run("server", ["ss", "-Hltn", "sport", "=", ":9012"]).stdout

    def test_tiny_backlog(self) -> None:
        """A rehearsal fills no queue, however small: the peers behind it see the usual answer."""
        listeners = [self.servers.add(port, backlog=1) for port in range(9020, 9030)]
        questions = [Question(port, INSIDE[family]) for port in range(9020, 9030) for family in (4, 6)]
        plain = self.look(questions)
        with self.adapted():
            for port in range(9020, 9030):
                self.scene.wait_until_served(port)
            for _ in range(3):
                self.rehearse()
                with self.scene.growth() as grown:
                    self.same(plain, self.look(questions), "adapted")
                self.assertEqual(grown["admitted"], len(questions))
        for listener in listeners:
            self.servers.remove(listener)


class Many(ObservedTest):
    """Listeners by the thousand."""

    @classmethod
    def prepare(cls) -> None:
        cls.servers.add(PORT)

    def served(self) -> int:
        endpoints = self.scene.status("server")["endpoints"]
        return sum(e["state"] == "served" for e in endpoints)  # type: ignore[union-attr]

    def listen(self, number: int) -> None:
        for port in range(10000, 10000 + number):
            self.addCleanup(self.scene.listen(port, family=6).close)

    def time_until(self, number: int, timeout: float) -> float:
        began = time.monotonic()
        self.assertTrue(until(lambda: self.served() == number, timeout, 0.05), f"not {number}: {self.served()}")
        return time.monotonic() - began

    def test_200_at_once(self) -> None:
        with self.adapted((PORT,)):
            self.listen(200)
            seconds = self.time_until(402, 5)
            print(f"200 listeners, 400 endpoints: all served {seconds:.2f} s after the last one came", file=sys.stderr)
            self.assertLess(seconds, 1)

    def test_2000_from_the_start(self) -> None:
        self.listen(2000)
        began = time.monotonic()
        with self.adapted((PORT,)):
            start = time.monotonic() - began
            self.time_until(4002, 20)
            print(f"2000 listeners, 4000 endpoints: all served {time.monotonic() - began:.2f} s after the start, "
                  f"ready after {start:.2f} s", file=sys.stderr)
            self.assertTrue(until(lambda: self.oldest() >= 2, 10, 0.05))
            self.nft("add table inet nothing")
            began = time.monotonic()
            self.assertTrue(until(lambda: self.oldest() < 2, 10, 0.05))
            print(f"asked again in {time.monotonic() - began:.2f} s", file=sys.stderr)
            questions = from_everywhere(10000, 11000, 11999)
            with self.scene.growth() as grown:
                self.assertEqual(accepted(self.look(questions)), 0)  # nobody accepts here
            self.assertEqual(grown["admitted"], len(questions))

    def oldest(self) -> int:
        endpoints = self.scene.status("server")["endpoints"]
        return max(e["answer_age_seconds"] for e in endpoints)  # type: ignore[union-attr]


class Flooded(ObservedTest):
    """The adaptor comes when the flood is there, and the stack answers with SYN cookies."""

    REDIRECT = f"""
        table inet led {{
            chain prerouting {{ type nat hook prerouting priority dstnat; tcp dport {PORT} redirect to :{BOUND}; }};
        }}"""

    @classmethod
    def prepare(cls) -> None:
        for port in (PORT, BOUND):
            cls.servers.add(port, backlog=64)

    @classmethod
    def leaks(cls) -> list[str]:
        return []  # the flood's sources are anybody, and so are those who are answered

    def flood(self) -> None:
        before = self.scene.netstat("server")["TcpExtSyncookiesSent"]
        flood = self.scene.flood("--rate", 20_000, "--seconds", 60, port=PORT)
        self.addCleanup(flood.stop)
        self.assertTrue(until(lambda: self.scene.netstat("server")["TcpExtSyncookiesSent"] > before, 5))

    def test_served(self) -> None:
        usual = {q: sight[-1] for q, sight in self.look(from_everywhere(PORT)).items()}
        self.assertEqual(set(usual.values()), {b"server:9001"})
        self.flood()
        with self.adapted(()):
            self.scene.wait_until_served(PORT, timeout=3)
            with self.scene.growth() as grown:
                found = {q: sight[-1] for q, sight in self.look(from_everywhere(PORT)).items()}
        self.assertEqual(found, usual)
        self.assertEqual(grown["admitted"], 4)

    def test_led_elsewhere(self) -> None:
        """A cookie does not tell which socket spoke: where NAT may have led the peer elsewhere, the stack goes on."""
        self.nft(self.REDIRECT)
        self.addCleanup(self.nft, "flush ruleset")
        self.flood()
        with self.adapted(()):
            self.scene.wait_for_state("left", PORT, timeout=3)
            with self.scene.growth() as grown:
                time.sleep(1.5)
            self.assertEqual(grown["syn_answered"], 0)


if __name__ == "__main__":
    main()
