#!/usr/bin/python3
"""However an instance ends, it leaves nothing behind; and what is under way comes to its end first."""

from __future__ import annotations

import json
import signal
import socket
import struct
from collections.abc import Iterator

from instance import FAREWELL, PORT, InstanceTest, left_behind
from scene import BPF_TCX_INGRESS, main, query_programs, until

NETLINK_NETFILTER = 12
NFT_CHANGES = 1 << 6  # the group NFNLGRP_NFTABLES
NFT_DELETED_TABLE = 10 << 8 | 2


def message_types(datagram: bytes) -> Iterator[int]:
    """Of the netlink messages in it."""
    while datagram:
        length, kind = struct.unpack_from("=IH", datagram)
        yield kind
        datagram = datagram[length + 3 & ~3:]


class Endings(InstanceTest):
    def test_ctrl_c_while_serving_leaves_nothing(self) -> None:
        self.serving()
        self.ends(signal.SIGINT, FAREWELL)
        self.echo()

    def test_sigterm_while_serving_leaves_nothing(self) -> None:
        self.serving()
        self.ends(signal.SIGTERM, FAREWELL)
        self.echo()

    def test_the_end_of_the_terminal_while_serving_leaves_nothing(self) -> None:
        self.serving()
        self.ends(signal.SIGHUP, FAREWELL)
        self.echo()

    def test_under_nohup_it_outlives_the_terminal(self) -> None:
        adaptor = self.scene.spawn("server", ["nohup", *self.scene.vestibule_words("eth0")])
        adaptor.wait_for("^ready$", 30)
        adaptor.signal(signal.SIGHUP)
        self.assertFalse(until(lambda: not adaptor.running(), 1))
        self.assertEqual(self.scene.status("server")["instance"], "default")

    def test_ctrl_c_while_it_starts_leaves_nothing(self) -> None:
        self.scene.adaptor = self.scene.spawn("server", self.scene.vestibule_words("eth0"))
        self.assertTrue(until(lambda: left_behind(self.scene) != [], 10, pause=0.001))
        self.scene.adaptor.signal(signal.SIGINT)
        self.assertEqual(self.scene.adaptor.wait(30), 0)
        self.assertEqual(left_behind(self.scene), [])

    def test_sigterm_where_nobody_came_is_quick(self) -> None:
        self.listen()
        self.scene.adapt()
        self.scene.wait_until_served(PORT)
        self.ends(signal.SIGTERM, 1.5)

    def test_nothing_is_left_where_nat_asked_for_a_rule_of_ours(self) -> None:
        self.scene.run("server", ["nft", "table ip nat { chain pre { type nat hook prerouting priority dstnat ; } ; }"])
        self.serving()
        self.assertIn("table inet vestibule_default", left_behind(self.scene))
        self.ends(signal.SIGTERM, FAREWELL)

    def wait_until_a_table_goes(self, rules: socket.socket) -> None:
        while NFT_DELETED_TABLE not in message_types(rules.recv(1 << 16)):
            pass

    def test_the_rule_of_ours_goes_after_the_handoff_that_relies_on_it(self) -> None:
        self.scene.run("server", ["nft", "table ip nat { chain pre { type nat hook prerouting priority dstnat ; } ; }"])
        self.listen()
        adaptor = self.scene.adapt()
        self.scene.wait_until_served(PORT)
        (link,) = json.loads(self.scene.ip("server", "-j link show eth0"))
        with self.scene.inside("server"), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as rules:
            rules.bind((0, NFT_CHANGES))
            rules.settimeout(10)
            self.assertEqual(len(query_programs(link["ifindex"], BPF_TCX_INGRESS)), 1)
            adaptor.signal(signal.SIGTERM)
            self.wait_until_a_table_goes(rules)
            self.assertEqual(query_programs(link["ifindex"], BPF_TCX_INGRESS), [])
        self.assertEqual(adaptor.wait(10), 0)


if __name__ == "__main__":
    main()
