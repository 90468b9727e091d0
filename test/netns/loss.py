#!/usr/bin/python3
"""Over a link that loses, doubles or disorders segments, and over a long one, peers fare as with the plain kernel.

What is lost depends on the seed alone (lab/visits.py), so the hosts are held to each other to the last segment. How
long all this takes is measured elsewhere (bench/loss.py).
"""

from __future__ import annotations

import contextlib
import typing
import unittest
from collections.abc import Iterator

from scene import Impairment, Scene, main, tcp_info
from visits import COOKIES, HOSTS, PLAIN, VESTIBULE, Findings, Wish, visit

VISITS = Wish(visits=120, rate=60, patience=40)
RTT_MS = 50
LOSSES = (5, 20)  # percent, each way
DISORDER = Impairment(rtt=RTT_MS, jitter=20, duplicates=20)

PORT = 7000
TRIES = 3
LENGTHS_MS = (50, 300)


class BadLink(unittest.TestCase):
    found: typing.ClassVar[dict[int, dict[str, Findings]]]
    disordered: typing.ClassVar[dict[str, Findings]]

    @classmethod
    def setUpClass(cls) -> None:
        *lossy, cls.disordered = visit([*(Impairment(rtt=RTT_MS, loss=loss) for loss in LOSSES), DISORDER], VISITS)
        cls.found = dict(zip(LOSSES, lossy))

    def each(self, host: str) -> Iterator[Findings]:
        for loss, found in self.found.items():
            with self.subTest(loss=loss, host=host):
                yield found[host]

    def test_segments_were_lost_and_the_adaptor_admitted_the_visitors(self) -> None:
        for loss, hosts in self.found.items():
            for found in hosts.values():
                for way in found.link["forth"], found.link["back"]:
                    self.assertAlmostEqual(100 * way["lost"] / way["segments"], loss, delta=loss / 2)
                    self.assertGreater(way["lost_syns"], 0)
                    self.assertEqual(way["overflowed"], 0)
        for found in self.each(VESTIBULE):
            self.assertEqual(found.admitted, VISITS.visits)

    def test_every_visit_is_completed(self) -> None:
        for host in HOSTS:
            for found in self.each(host):
                self.assertNotIn(None, found.complete)

    def test_no_syn_is_sent_again_without_a_loss_that_explains_it(self) -> None:
        for host in HOSTS:
            for found in self.each(host):
                explained = found.link["forth"]["lost_syns"] + found.link["back"]["lost_syns"]
                print(f"{host}: {found.link['forth']['repeated_syns']} SYNs sent again, {explained} losses")
                self.assertLessEqual(found.link["forth"]["repeated_syns"], explained)

    def test_as_many_syns_are_sent_again_as_to_the_kernel_s_own_cookies(self) -> None:
        for hosts in self.found.values():
            for way in ("forth", "back"):
                self.assertEqual(hosts[VESTIBULE].link[way]["repeated_syns"], hosts[COOKIES].link[way]["repeated_syns"])

    def test_no_reply_is_sent_but_for_a_syn(self) -> None:
        for found in self.each(VESTIBULE):
            arrived = found.link["forth"]["syns"] - found.link["forth"]["lost_syns"]
            self.assertEqual(found.link["back"]["syns"], arrived)

    def test_no_connection_is_reset(self) -> None:
        for host in (PLAIN, VESTIBULE):  # the kernel's cookies do: where other segments overtake the ACK
            for found in (*self.each(host), self.disordered[host]):
                self.assertEqual(found.client["TcpEstabResets"], 0, host)

    def test_what_comes_twice_and_out_of_order_makes_one_connection(self) -> None:
        for host in (PLAIN, VESTIBULE):
            with self.subTest(host=host):
                found = self.disordered[host]
                for way in found.link["forth"], found.link["back"]:
                    self.assertGreater(way["duplicated"], way["segments"] / 10)
                self.assertNotIn(None, found.complete)
                self.assertEqual(found.server["TcpPassiveOpens"], VISITS.visits)
        self.assertEqual(self.disordered[VESTIBULE].admitted, VISITS.visits)


class LongLink(unittest.TestCase):
    def least_rtt(self, scene: Scene, family: int) -> float:
        """Milliseconds, as the server's stack knows them right after the handshake."""
        with scene.listen(PORT, 6) as listener:
            if scene.adaptor:
                scene.wait_until_served(PORT)
            return min(self.rtt(scene, listener, family) for _ in range(TRIES))

    def rtt(self, scene: Scene, listener: typing.Any, family: int) -> float:
        with scene.connect(PORT, family), listener.accept()[0] as accepted:
            return tcp_info(accepted).rtt / 1000

    def test_the_server_knows_the_round_trip_time(self) -> None:
        with contextlib.ExitStack() as stages:
            for length in LENGTHS_MS:
                scene = stages.enter_context(Scene(impairment=Impairment(rtt=length)))
                plain = {family: self.least_rtt(scene, family) for family in (4, 6)}
                scene.adapt()
                with scene.growth() as grown:
                    adapted = {family: self.least_rtt(scene, family) for family in (4, 6)}
                self.assertEqual(grown["admitted"], 2 * TRIES)
                for family in (4, 6):
                    print(f"{length} ms, IPv{family}: plain {plain[family]:.2f} ms, adapted {adapted[family]:.2f} ms")
                    self.assertAlmostEqual(plain[family], length, delta=3)
                    self.assertAlmostEqual(adapted[family], plain[family], delta=3)


if __name__ == "__main__":
    main()
