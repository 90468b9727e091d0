#!/usr/bin/python3
"""A server reached through a VLAN interface, the adaptor on the interface beneath."""

from __future__ import annotations

import unittest

from scene import Acceptor, Scene, StageError, echo_once, main, receive_exactly, until

PORT = 7000
TAG = 5


class VlanInterface(unittest.TestCase):
    def setUp(self) -> None:
        self.scene = self.enterContext(Scene())
        for end, host in ((self.scene.client, 1), (self.scene.server, 2)):
            try:
                self.scene.ip(end.namespace, f"link add link eth0 name eth0.{TAG} type vlan id {TAG}")
            except StageError as refused:
                self.skipTest(f"this kernel makes no VLAN interfaces: {refused}")
            self.scene.run(end.namespace, ["ethtool", "-K", "eth0", "rxvlan", "off", "txvlan", "off"])
            self.scene.ip(end.namespace, f"link set eth0.{TAG} up")
            self.scene.address(end.namespace, f"eth0.{TAG}", f"10.81.0.{host}/24", f"fd81::{host}/64")

    def visit(self, family: int, address: str) -> None:
        with self.scene.socket("client", family) as connection:
            connection.connect((address, PORT))
            connection.sendall(b"tagged")
            self.assertEqual(receive_exactly(connection, 6), b"tagged")

    def is_served_in_vlan(self, address: str) -> bool:
        return any((found["address"], found.get("vlan"), found["state"]) == (address, TAG, "served")
                   for found in self.scene.status("server")["endpoints"])

    def test_a_server_is_reached_through_a_vlan(self) -> None:
        acceptor = Acceptor(self.scene.listen(PORT, 6), echo_once)
        self.addCleanup(acceptor.close)
        near = self.scene.link("client", f"eth0.{TAG}")  # a neighbour to rehearse with
        self.scene.ip("server", f"neigh replace 10.81.0.1 lladdr {near} dev eth0.{TAG} nud permanent")
        self.scene.adapt()
        self.scene.wait_until_served(PORT)
        with self.scene.growth() as grown:
            for family, address in ((4, "10.81.0.2"), (6, "fd81::2")):
                self.visit(family, address)  # it has the endpoint rehearsed, if it was not known already
                self.assertTrue(until(lambda at=address: self.is_served_in_vlan(at), 10))
                self.visit(family, address)  # and this one is the adaptor's
        self.assertGreaterEqual(grown["admitted"], 2)

    def test_tags_that_the_driver_would_strip_are_refused(self) -> None:
        self.scene.run("server", ["ethtool", "-K", "eth0", "rxvlan", "on"])
        with self.assertRaisesRegex(StageError, "rxvlan off"):
            self.scene.adapt()
        self.assertEqual(self.scene.attached("server"), [])


if __name__ == "__main__":
    main()
