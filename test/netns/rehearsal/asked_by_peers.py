#!/usr/bin/python3
"""A SYN for a listener that has no answer on file makes the adaptor ask. Whoever sent it, and its source may be anybody's
invention, decides nothing else: not what the answer is, not what else is asked about."""

from __future__ import annotations

import pathlib
import socket
import struct
import sys
import time
import typing
from collections.abc import Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from observing import SYN, ObservedTest  # noqa: E402
from frames import ETHERNET, Segment  # noqa: E402
from scene import main, until  # noqa: E402

PORT = 9001
PEER, PEER6, BANNED = "203.0.113.9", "2001:db8:77::9", "203.0.113.66"
OURS = [f"10.88.5.{number}" for number in range(1, 5)]  # though no interface bears them
NOT_OURS = ["203.0.113.100", *(f"2001:db8:77::{number}" for number in range(100, 105))]


class AskedByPeers(ObservedTest):
    @classmethod
    def prepare(cls) -> None:
        cls.servers.add(PORT)
        cls.scene.ip("server", "-4 route add local 10.88.5.0/24 dev lo")
        with cls.scene.inside("client"):
            cls.raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            cls.raw.bind(("eth0", 0))
        cls.addClassCleanup(cls.raw.close)

    @classmethod
    def further_networks(cls) -> Sequence[str]:
        return "203.0.113.0/24", "2001:db8:77::/64"

    def send_syn(self, source: str, target: str, tag: bytes = b"") -> None:
        frame = Segment(source, target, (2000, PORT), SYN, 1000).frame(self.scene.server.link, self.scene.client.link)
        self.raw.send(frame[:ETHERNET - 2] + tag + frame[ETHERNET - 2:])

    def endpoints(self) -> list[dict[str, typing.Any]]:
        return typing.cast(list[dict[str, typing.Any]], self.scene.status("server")["endpoints"])

    def state_at(self, address: str) -> str | None:
        return next((f"{e['state']} {e.get('why', '')}" for e in self.endpoints() if e["address"] == address), None)

    def test_any_peer_brings_the_question(self) -> None:
        with self.adapted((PORT,)):
            self.assertIsNone(self.state_at(OURS[0]))
            self.send_syn(PEER, OURS[0])
            self.assertTrue(until(lambda: self.state_at(OURS[0]) == "served ", 2), self.state_at(OURS[0]))

    def test_a_banned_peer_is_no_reason_to_leave_the_listener(self) -> None:
        """Not at once, and not when it is asked again."""
        self.nft(f"""
            table ip ban {{
                chain input {{ type filter hook input priority filter; ip saddr {BANNED} drop; }}
            }}""")
        self.addCleanup(self.nft, "delete table ip ban")
        with self.adapted((PORT,)):
            for address in OURS:
                self.send_syn(BANNED, address)
            self.assertTrue(until(lambda: all(self.state_at(a) for a in OURS), 3), "the SYNs brought no question")
            self.assertEqual({self.state_at(a) for a in OURS}, {"served "})
            self.nft("add table ip nothing; delete table ip nothing")
            time.sleep(self.reaction)
            self.assertEqual({self.state_at(a) for a in OURS}, {"served "})

    def test_traffic_in_transit_is_not_asked_about(self) -> None:
        """A wildcard listener is found for any destination."""
        with self.adapted((PORT,)), self.scene.growth() as grown:
            for address in NOT_OURS:
                self.send_syn(PEER6 if ":" in address else PEER, address)
                time.sleep(0.15)
                self.assertIsNone(self.state_at(address))
            said = self.scene.adaptor.text() if self.scene.adaptor else ""
        self.assertEqual(grown["no_answer_on_file"], len(NOT_OURS), "the SYNs found no listener: what is this test about?")
        self.assertNotIn("203.0.113.", said)
        self.assertNotIn("2001:db8:", said)

    def test_nor_are_vlans_that_are_not_here(self) -> None:
        with self.adapted((PORT,)), self.scene.growth() as grown:
            for vlan in range(70, 80):
                self.send_syn(PEER, self.scene.server.v4, b"\x81\x00" + struct.pack("!H", vlan))
                time.sleep(0.1)
                self.assertEqual([e for e in self.endpoints() if "vlan" in e], [])
        self.assertEqual(grown["no_answer_on_file"], 10, "the SYNs found no listener: what is this test about?")


if __name__ == "__main__":
    main()
