#!/usr/bin/python3
"""An application that does not accept: as many peers connect as with the plain kernel, no peer believes that it is
connected when it is not, and those turned away come in as soon as there is room."""

from __future__ import annotations

import select
import socket
import threading
import typing

from peer import LINUX, Wire, peers_of
from scene import SceneTest, main, receive_exactly, until

PEERS = 5
BACKLOGS = (0, 1, 3)


class AcceptQueue(SceneTest):
    plain: typing.ClassVar[dict[int, int]]

    @classmethod
    def arrange(cls) -> None:
        cls.plain = {backlog: cls.connected(7200 + backlog, backlog) for backlog in BACKLOGS}
        cls.scene.adapt()

    @classmethod
    def connected(cls, port: int, backlog: int, served: bool = False) -> int:
        """How many of five peers connect, one after the other, to a server that accepts none."""
        with cls.scene.listen(port, 6, backlog=backlog):
            if served:
                cls.scene.wait_until_served(port)
            near: list[socket.socket] = []
            for number in range(PEERS):
                try:
                    near.append(cls.scene.connect(port, 4 if number % 2 else 6, timeout=0.4))
                except TimeoutError:
                    pass
            for connection in near:
                connection.close()
            return len(near)

    def test_as_many_peers_connect_as_with_the_plain_kernel(self) -> None:
        for backlog in BACKLOGS:
            with self.subTest(backlog=backlog):
                with self.scene.growth() as grown:
                    connected = self.connected(7000 + backlog, backlog, served=True)
                print(f"backlog {backlog}: {connected} of {PEERS} connect (plain {self.plain[backlog]})")
                self.assertEqual(connected, self.plain[backlog])
                self.assertLess(connected, PEERS)
                self.assertEqual(grown["admitted"], connected)
                self.assertGreaterEqual(grown["accept_queue_full"], PEERS - connected)

    def test_who_was_turned_away_comes_in_when_there_is_room(self) -> None:
        port = 7100
        listener = self.closing(self.scene.listen(port, 4, backlog=0))
        self.scene.wait_until_served(port, (4,))
        came: list[socket.socket] = []
        with self.scene.growth() as grown:
            first = self.closing(self.scene.connect(port, 4))
            before = self.turned_away()
            second = threading.Thread(target=lambda: came.append(self.closing(self.scene.connect(port, 4))))
            second.start()
            self.assertTrue(until(lambda: self.turned_away() > before, 2))
            self.assertEqual(came, [])
            self.closing(listener.accept()[0])
            second.join(5)  # its next SYN comes after a second
            self.closing(listener.accept()[0]).sendall(b"welcome")
            self.assertEqual(receive_exactly(came[0], 7), b"welcome")
        self.assertEqual(grown["admitted"], 2)
        first.close()

    def test_each_of_a_group_has_a_queue_of_its_own(self) -> None:
        """SO_REUSEPORT: which one a peer meets, its address says, also in a crowd."""
        port, crowd = 7200, 600
        _, narrow = (self.closing(self.scene.listen(port, 4, backlog, prepare=share_the_port)) for backlog in (4096, 0))
        self.scene.wait_until_served(port, (4,))
        for _ in range(12):  # some meet the narrow one, and one of these fills it
            self.knock(port)
        self.assertTrue(until(lambda: bool(select.select([narrow], [], [], 0)[0]), 2))
        wire = self.closing(Wire(self.scene))
        frames = [bytes(peer.syn(LINUX)) for peer in peers_of(wire, port, crowd)]
        with self.scene.growth() as grown:
            wire.send(frames)
        self.assertIn(grown["accept_queue_full"], range(crowd // 3, crowd * 2 // 3))
        self.assertEqual(grown["accept_queue_full"] + grown["syn_answered"], crowd)

    def knock(self, port: int) -> None:
        one = self.closing(self.scene.socket("client"))
        one.setblocking(False)
        one.connect_ex((self.scene.server.v4, port))

    def turned_away(self) -> int:
        return self.scene.counters("server")["accept_queue_full"]


def share_the_port(listener: socket.socket) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


if __name__ == "__main__":
    main()
