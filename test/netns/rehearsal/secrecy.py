#!/usr/bin/python3
"""Nobody outside notices a rehearsal, and nothing of it stays behind. (That none of its frames leaves the machine is
seen to in every test of this folder: ObservedTest.leaks.)"""

from __future__ import annotations

import pathlib
import re
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from observing import FIRST_REHEARSAL_PORT, SYN, ObservedTest, Question, Rules, from_everywhere  # noqa: E402
from frames import Segment  # noqa: E402
from scene import Acceptor, main, until  # noqa: E402

OPEN, SHUT, REJECTING, REDIRECTED, BEHIND = 9001, 9002, 9003, 9004, 9011

TRACKING = f"""
    table inet watched {{
        chain input {{
            type filter hook input priority filter;
            ct state invalid drop
            tcp dport {SHUT} drop
            tcp dport {REJECTING} reject
        }}
        chain prerouting {{
            type nat hook prerouting priority dstnat;
            tcp dport {REDIRECTED} redirect to :{BEHIND}
        }}
    }}"""


class Secrecy(ObservedTest):
    @classmethod
    def prepare(cls) -> None:
        for port in (OPEN, SHUT, REJECTING, REDIRECTED, BEHIND):
            cls.servers.add(port)

    def questions(self) -> list[Question]:
        return from_everywhere(OPEN, SHUT, REJECTING, REDIRECTED)

    def rehearse(self) -> None:
        """Makes the adaptor ask about everything, and waits until it has."""
        self.nft("add table inet nothing")
        self.nft("delete table inet nothing")
        time.sleep(0.4)

    def hooks(self) -> list[str]:
        return [each for each in self.scene.attached("server") if ": egress" in each]

    def half_open(self) -> str:
        return self.scene.run("server", ["ss", "-Htan", "state", "syn-recv"]).stdout

    def tracked(self) -> list[str]:
        """States of the conntrack entries that bear a rehearsal's port."""
        text = self.scene.run("server", ["cat", "/proc/net/nf_conntrack"]).stdout
        found = re.findall(r"tcp +6 \d+ (\w+) .*?sport=(\d+)", text)
        return [state for state, port in found if int(port) >= FIRST_REHEARSAL_PORT]

    def test_egress_hook_comes_and_goes(self) -> None:
        """It is there for a fraction of a second: who looks may miss it, but not every time."""
        seen = 0
        with self.adapted((OPEN, SHUT, REJECTING)):
            self.assertTrue(until(lambda: not self.hooks(), 1))
            for change in 3 * ("add table inet nothing", "delete table inet nothing"):
                with self.scene.growth() as grown:
                    self.nft(change)
                    seen += until(lambda: bool(self.hooks()), 0.5, 0.001)
                    self.assertTrue(until(lambda: not self.hooks(), 1), "the hook stays")
                self.assertGreater(grown["rehearsal"], 0, "no rehearsal after a change")
        self.assertGreater(seen, 0, "no hook in six rehearsals")

    def test_nothing_stays_behind(self) -> None:
        self.nft(TRACKING)
        self.addCleanup(self.nft, "flush ruleset")
        with self.adapted((OPEN,)):
            for _ in range(3):
                self.rehearse()
                self.assertEqual(self.half_open(), "")
                entries = self.tracked()
                self.assertGreater(len(entries), 0, "no rehearsal is tracked: what is this test about?")
                self.assertLessEqual(set(entries), {"CLOSE"})
            self.look(self.questions())

    def test_receiving_spread_over_cpus(self) -> None:
        """Then the stack answers later, and the hook must still be there."""
        self.spread("3")
        self.addCleanup(self.spread, "0")
        rules = Rules(lambda: self.nft(TRACKING), lambda: self.nft("flush ruleset"))
        self.compare(rules, self.questions(), served=(OPEN, SHUT, REJECTING, REDIRECTED))
        self.assertEqual(self.half_open(), "")

    def spread(self, cpus: str) -> None:
        path = "/sys/class/net/eth0/queues/rx-0/rps_cpus"
        # sysfs shows the namespace it was mounted in.
        self.scene.run("server", ["unshare", "-m", "sh", "-c", f"mount -t sysfs none /sys && echo {cpus} > {path}"])

    def test_generic_mode(self) -> None:
        """There the adaptor itself sees the frames of a rehearsal."""
        with self.adapted((OPEN, SHUT), "--xdp", "generic"):
            before = self.look(from_everywhere(OPEN, SHUT))
            self.nft(TRACKING)
            self.addCleanup(self.nft, "flush ruleset")
            time.sleep(self.reaction)
            with self.scene.growth() as grown:
                self.look(from_everywhere(OPEN, SHUT))
            self.assertEqual(grown["syn_answered"], 4)
            self.assertEqual(grown["left_to_stack"], 4)
            self.assertEqual({sight[-1] for sight in before.values()}, {b"server:9001", b"server:9002"})

    def test_accept_sees_nobody(self) -> None:
        """However often a server is asked about, it never gets a connection of a rehearsal's."""
        acceptor = Acceptor(self.scene.listen(9050, family=6))
        self.addCleanup(acceptor.close)
        with self.adapted((OPEN, 9050)):
            for _ in range(5):
                self.rehearse()
            self.assertEqual(acceptor.accepted, 0)


class HalfOpen(ObservedTest):
    """Handshakes of peers who use the very ports that rehearsals use."""

    PORTS = range(FIRST_REHEARSAL_PORT, FIRST_REHEARSAL_PORT + 100)
    PEER = "10.88.7.7"  # nobody: the stack waits for its ACK in vain

    @classmethod
    def prepare(cls) -> None:
        cls.servers.add(OPEN)

    @classmethod
    def leaks(cls) -> list[str]:
        return []  # the ports are those by which a rehearsal's frames are told

    def half_open(self) -> int:
        return len(self.scene.run("server", ["ss", "-Htan", "state", "syn-recv"]).stdout.splitlines())

    def test_they_are_left_alone(self) -> None:
        with self.scene.inside("client"):
            raw = self.closing(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
            raw.bind(("eth0", 0))
        for port in self.PORTS:
            syn = Segment(self.PEER, self.scene.server.v4, (port, OPEN), SYN, 1000)
            raw.send(syn.frame(self.scene.server.link, self.scene.client.link))
        self.assertTrue(until(lambda: self.half_open() == len(self.PORTS), 2), self.half_open())
        with self.adapted((OPEN,)):
            for _ in range(5):
                self.nft("add table inet nothing; delete table inet nothing")
                time.sleep(0.3)
            self.assertEqual(self.half_open(), len(self.PORTS))


class Strangers(ObservedTest):
    """Nobody is known yet when the adaptor starts."""

    @classmethod
    def prepare(cls) -> None:
        cls.servers.add(OPEN)

    def test_first_peer_brings_the_question(self) -> None:
        for address in (self.scene.client.v4, self.scene.client.v6):
            self.scene.ip("server", f"neigh del {address} dev eth0")
        first = len(self.watch.frames)
        with self.adapted():
            time.sleep(0.5)
            looked_for = [s for s in self.watch.seen_since(first) if s.target == "10.77.0.1"]
            self.assertEqual(looked_for, [])
            self.assertIsNone(self.scene.endpoint(OPEN, 4))
            usual = self.look(from_everywhere(OPEN))
            self.scene.wait_until_served(OPEN, timeout=1)
            with self.scene.growth() as grown:
                self.assertEqual(self.look(from_everywhere(OPEN)), usual)
            self.assertEqual(grown["admitted"], 4)


class Crowd(threading.Thread):
    """Changes the packet filter without a pause."""

    def __init__(self, test: ObservedTest) -> None:
        super().__init__(daemon=True)
        self.test = test
        self.ending = False
        self.changes = 0

    def run(self) -> None:
        while not self.ending:
            self.test.nft("add table inet crowd; delete table inet crowd")
            self.changes += 1


class Restless(ObservedTest):
    @classmethod
    def prepare(cls) -> None:
        cls.servers.add(OPEN)

    def test_changes_without_end(self) -> None:
        """They keep the adaptor asking, but not from its other work; nor do they keep it from asking."""
        with self.adapted((OPEN,)):
            crowd = Crowd(self)
            crowd.start()
            try:
                before = self.cpu_seconds()
                for _ in range(5):
                    time.sleep(0.4)
                    found = self.scene.endpoint(OPEN, 4)
                    self.assertIsNotNone(found)
                    self.assertLessEqual(found["answer_age_seconds"], 1)
                spent = self.cpu_seconds() - before
            finally:
                crowd.ending = True
                crowd.join()
            print(f"{crowd.changes} changes in about 2 s; the adaptor worked for {spent:.2f} s", file=sys.stderr)
            self.assertLess(spent, 1)

    def cpu_seconds(self) -> float:
        fields = pathlib.Path(f"/proc/{self.scene.adaptor.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    main()
