#!/usr/bin/python3
"""The way back: a SYN is answered the way that the host's routes lead, whoever handed it over. Behind a balancer that
sees one direction only (direct server return), or where routers share a virtual address (VRRP, HSRP), the station that
SYNs come from is not the one that answers go to."""

from __future__ import annotations

from peer import LINUX, TCP, WINDOWS, Ether, Peer, Wire
from scene import Acceptor, SceneTest, echo_once, main, receive_exactly, until

PORT = 7000
BALANCER = "02:00:00:00:ba:1a"
VIRTUAL = "00:00:5e:00:01:0a"  # of VRRP
GATEWAY = {4: "10.77.0.1", 6: "fd77::1"}
STRANGER = {4: "10.90.0.1", 6: "fd90::1"}
ON_LINK = {4: "10.77.0.99", 6: "fd77::99"}


class WayBack(SceneTest):
    @classmethod
    def arrange(cls) -> None:
        cls.addClassCleanup(Acceptor(cls.scene.listen(PORT, 6), echo_once).close)
        cls.adaptor = cls.scene.adapt()
        cls.scene.wait_until_served(PORT)

    def setUp(self) -> None:
        self.wire = self.closing(Wire(self.scene))

    def know(self, address: str, link: str) -> None:
        self.scene.ip("server", f"neigh replace {address} lladdr {link} dev eth0 nud permanent")

    def visit(self, address: str, station: str) -> str:
        """A whole connection. Returns the station that the SYN-ACK went to."""
        peer = Peer(self.wire, address, PORT, station=station)
        self.wire.send([peer.syn(LINUX)])
        answer = peer.listen("SA")
        assert answer is not None, f"{address} hears nothing"
        self.wire.send([peer.ack(answer, b"hello")])
        echo = peer.listen("P")
        assert echo is not None and bytes(echo[TCP].payload) == b"hello", f"{address} has no connection"
        return str(answer[Ether].dst)

    def knock(self, address: str, station: str) -> str | None:
        """A SYN alone. Returns the station that the SYN-ACK went to."""
        peer = Peer(self.wire, address, PORT, station=station)
        self.wire.send([peer.syn(WINDOWS)])
        answer = peer.listen("SA")
        return None if answer is None else str(answer[Ether].dst)

    def assert_visits(self, addresses: dict[int, str], station: str, to: str) -> None:
        """The adaptor answers them all, to that station."""
        for address in addresses.values():
            with self.subTest(address), self.scene.growth() as grown:
                self.assertEqual(self.visit(address, station), to)
            self.assertEqual((grown["syn_answered"], grown["admitted"], grown["other_way_back"]), (1, 1, 0))

    def test_behind_a_balancer_answers_go_to_the_gateway(self) -> None:
        self.assert_visits(STRANGER, BALANCER, self.scene.client.link)

    def test_who_comes_by_the_gateway_is_answered_by_it(self) -> None:
        self.assert_visits(STRANGER, "", self.scene.client.link)

    def test_a_gateway_with_a_virtual_address_is_answered_at_that(self) -> None:
        for gateway in GATEWAY.values():
            self.addCleanup(self.know, gateway, self.scene.client.link)
            self.know(gateway, VIRTUAL)
        self.assertTrue(until(lambda: self.knock(STRANGER[4], "") == self.knock(STRANGER[6], "") == VIRTUAL, 5))
        self.assert_visits(STRANGER, "", VIRTUAL)

    def test_a_gateway_that_moves_is_followed_at_once(self) -> None:
        """Long before anything is rehearsed again by the clock."""
        for link in (VIRTUAL, self.scene.client.link):
            self.know(GATEWAY[4], link)
            self.assertTrue(until(lambda: self.knock(STRANGER[4], BALANCER) == link, 1))

    def test_neighbours_are_answered_directly(self) -> None:
        neighbour = self.scene.neighbour()
        with self.scene.growth() as grown:
            for family in (4, 6):
                with self.scene.connect(PORT, family, ns=neighbour.namespace) as connection:
                    connection.sendall(b"hello")
                    self.assertEqual(receive_exactly(connection, 5), b"hello")
        self.assertEqual((grown["syn_answered"], grown["admitted"], grown["other_way_back"]), (2, 2, 0))

    def test_neighbours_behind_a_balancer_are_answered_directly(self) -> None:
        link = "02:00:00:00:00:99"
        for address in ON_LINK.values():
            self.addCleanup(self.scene.ip, "server", f"neigh delete {address} dev eth0")
            self.know(address, link)
        self.assertTrue(until(lambda: self.knock(ON_LINK[4], BALANCER) == self.knock(ON_LINK[6], BALANCER) == link, 1))
        self.assert_visits(ON_LINK, BALANCER, link)

    def assert_stack_answers(self, address: str, station: str) -> None:
        def passed() -> bool:
            with self.scene.growth() as grown:
                self.assertEqual(self.visit(address, station), self.scene.client.link)
            return (grown["syn_answered"], grown["other_way_back"]) == (0, 1)

        self.assertTrue(until(passed, 5))

    def test_a_gateway_not_known_yet_is_the_stacks_to_find(self) -> None:
        self.addCleanup(self.know, GATEWAY[4], self.scene.client.link)
        self.scene.ip("server", f"neigh delete {GATEWAY[4]} dev eth0")
        answers = [self.visit(STRANGER[4], BALANCER) for _ in range(10)]
        self.assertEqual(set(answers), {self.scene.client.link})
        self.assertTrue(until(lambda: self.answered_by_adaptor(STRANGER[4]), 5), "what the stack found is not heeded")

    def answered_by_adaptor(self, address: str) -> bool:
        with self.scene.growth() as grown:
            self.visit(address, BALANCER)
        return grown["syn_answered"] == 1

    def test_more_routes_than_are_kept_are_said_and_left_to_the_stack(self) -> None:
        gateway = GATEWAY[4]
        routes = [f"route add 172.{16 + n // 4096}.{n // 16 % 256}.{n % 16 * 16}/28 via {gateway}" for n in range(60_001)]
        self.scene.run("server", ["ip", "-batch", "-"], input="\n".join(routes))
        self.addCleanup(self.assert_known_again)
        self.addCleanup(self.scene.ip, "server", "route flush root 172.16.0.0/12")
        self.assertTrue(until(lambda: self.adaptor.text().count("routes and neighbours, and the adaptor keeps") == 1, 5))
        self.assert_visits(STRANGER, "", self.scene.client.link)
        with self.scene.growth() as grown:
            self.assertEqual(self.visit(STRANGER[4], BALANCER), self.scene.client.link)
        self.assertEqual((grown["syn_answered"], grown["other_way_back"]), (0, 1))

    def assert_known_again(self) -> None:
        """After so much work the adaptor takes its time."""
        self.assertTrue(until(lambda: self.answered_by_adaptor(STRANGER[4]), 10), "the ways are not known again")

    def test_under_policy_rules_only_the_usual_way_is_known(self) -> None:
        self.addCleanup(self.scene.ip, "server", f"rule delete from {self.scene.server.v4} lookup 100")
        self.scene.ip("server", f"route add default via {GATEWAY[4]} table 100")
        self.scene.ip("server", f"rule add from {self.scene.server.v4} lookup 100")
        self.assert_stack_answers(STRANGER[4], BALANCER)
        self.assert_visits({4: STRANGER[4]}, "", self.scene.client.link)

    def test_a_route_of_some_strangers_own_is_taken(self) -> None:
        gateway, link = "10.77.0.50", "02:00:00:00:00:50"
        self.addCleanup(self.scene.ip, "server", "route delete 10.95.0.0/16")
        self.know(gateway, link)
        self.scene.ip("server", f"route add 10.95.0.0/16 via {gateway}")
        self.assertTrue(until(lambda: self.knock("10.95.0.1", "") == link, 5))
        self.assert_visits({4: "10.95.0.2"}, "", link)
        self.assert_visits({4: "10.96.0.2"}, "", self.scene.client.link)


if __name__ == "__main__":
    main()
