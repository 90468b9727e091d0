#!/usr/bin/python3
"""SYNs that come tagged (IEEE 802.1Q, QinQ) to a server without VLAN interfaces: they are read as what they are, are
the stack's to ignore, and above all are never answered on the wrong VLAN."""

from __future__ import annotations

import typing

from peer import LINUX, Dot1Q, Ether, Peer, Wire
from scene import SceneTest, main

PORT = 7000


class VlanTags(SceneTest):
    @classmethod
    def arrange(cls) -> None:
        cls.addClassCleanup(cls.scene.listen(PORT, 6).close)
        cls.scene.adapt()
        cls.scene.wait_until_served(PORT)

    def setUp(self) -> None:
        self.wire = self.closing(Wire(self.scene))

    def send(self, **options: typing.Any) -> dict[str, int]:
        """A SYN with this in it, which nobody may answer."""
        peer = Peer(self.wire, "10.90.0.1", PORT, **options)
        with self.scene.growth() as grown:
            self.wire.send([peer.syn(LINUX)])
            self.assertEqual(self.wire.silence(), [])
        return grown

    def test_an_untagged_syn_is_answered(self) -> None:
        peer = Peer(self.wire, "10.90.0.1", PORT)
        self.wire.send([peer.syn(LINUX)])
        self.assertIsNotNone(peer.listen("SA"))

    def test_a_tagged_syn_is_read_and_never_answered_untagged(self) -> None:
        grown = self.send(vlan=5)
        self.assertEqual(grown["syn_answered"], 0)
        self.assertEqual(grown["no_answer_on_file"] + grown["left_to_stack"], 1, "not read as a SYN for our listener")

    def test_it_is_never_answered_however_often_it_comes(self) -> None:
        """The first has the endpoint rehearsed, and the stack answers no such rehearsal."""
        for _ in range(5):
            grown = self.send(vlan=7)
            self.assertEqual((grown["syn_answered"], grown["no_answer_on_file"] + grown["left_to_stack"]), (0, 1))

    def test_a_syn_with_two_tags_is_read_and_never_answered(self) -> None:
        peer = Peer(self.wire, "10.90.0.1", PORT, vlan=5)
        inner = peer.syn(LINUX)
        frame = Ether(src=inner.src, dst=inner.dst, type=0x88A8) / Dot1Q(vlan=9, type=0x8100) / inner[Dot1Q]
        with self.scene.growth() as grown:
            self.wire.send([frame])
            self.assertEqual(self.wire.silence(), [])
        self.assertEqual((grown["syn_answered"], grown["no_answer_on_file"] + grown["left_to_stack"]), (0, 1))

    def test_more_tags_than_are_read_go_to_the_stack(self) -> None:
        peer = Peer(self.wire, "10.90.0.1", PORT, vlan=5)
        inner = peer.syn(LINUX)
        frame = Ether(src=inner.src, dst=inner.dst) / Dot1Q(vlan=9) / Dot1Q(vlan=8) / inner[Dot1Q]
        with self.scene.growth() as grown:
            self.wire.send([frame])
            self.assertEqual(self.wire.silence(), [])
        self.assertEqual((grown["syn_answered"], grown["too_many_tags"]), (0, 1))


if __name__ == "__main__":
    main()
