#!/usr/bin/python3
"""Fourth sentence: the adaptor then steps aside. Established connections are the stack's alone: they outlive the
adaptor. And the adaptor outlives its control process, until another takes over."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import signal
import socket
import struct
import threading
import time
import unittest
from collections.abc import Iterator

from peer import LINUX, TCP, WINDOWS, Peer, Wire, peers_of
from scene import Acceptor, Scene, SceneTest, echo_once, main, receive_exactly, until

PORT = 7000
BULK = 64 << 20
PROGRAMS = 2  # in the driver and at TC; more while it rehearses
PACE = 8 << 20  # bytes per second: the adaptor's farewell takes three seconds


class Reader(threading.Thread):
    """Reads at a pace that keeps the sender at work for long, until told to hurry."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(daemon=True)
        self.connection = connection
        self.received = 0
        self.digest = hashlib.sha256()
        self.hurry = threading.Event()
        self.start()

    def run(self) -> None:
        while data := self.connection.recv(1 << 16):
            self.received += len(data)
            self.digest.update(data)
            self.hurry.wait(len(data) / PACE)


def bytes_received(connection: socket.socket) -> int:
    """By the stack, in order: tcpi_bytes_received."""
    return struct.unpack_from("=Q", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 128)[0]


class ItStepsAside(unittest.TestCase):
    def setUp(self) -> None:
        self.scene = self.enterContext(Scene())
        self.block = os.urandom(1 << 20)
        self.acceptor = Acceptor(self.scene.listen(PORT, 6), echo_once)
        self.addCleanup(self.acceptor.close)
        self.adaptor = self.scene.adapt()
        self.scene.wait_until_served(PORT)

    def send_bulk(self, connection: socket.socket) -> None:
        for _ in range(BULK // len(self.block)):
            connection.sendall(self.block)
        connection.shutdown(socket.SHUT_WR)

    def assert_echoes(self, connection: socket.socket, text: bytes = b"still there?") -> None:
        connection.sendall(text)
        self.assertEqual(receive_exactly(connection, len(text)), text)

    def leftovers(self) -> list[pathlib.Path]:
        inode = self.scene.path("server").stat().st_ino
        return list(pathlib.Path("/sys/fs/bpf/vestibule").glob(f"{inode}-*"))

    def adaptor_answers(self, host: int) -> bool:
        """Whether a SYN is answered, and not by the stack."""
        with self.scene.protocol_growth("server") as stack:
            peer = Peer(self.wire(), f"10.90.1.{host}", PORT)
            peer.wire.send([peer.syn(LINUX)])
            answered = peer.listen("SA") is not None
        return answered and stack["TcpOutSegs"] == 0

    def wire(self) -> Wire:
        wire = Wire(self.scene)
        self.addCleanup(wire.close)
        return wire

    def test_a_transfer_in_flight_survives_the_removal_of_the_adaptor(self) -> None:
        listener = self.scene.listen(PORT + 1, 6)
        self.addCleanup(listener.close)
        self.scene.wait_until_served(PORT + 1)
        with self.scene.growth() as grown:
            near, far = self.scene.connect(PORT + 1, 4), listener.accept()[0]
        self.assertEqual(grown["admitted"], 1)
        with near, far:
            near.settimeout(60)
            far.settimeout(60)
            reader = Reader(far)
            sender = threading.Thread(target=self.send_bulk, args=(near,))
            sender.start()
            self.assertTrue(until(lambda: reader.received > BULK // 16, 20))
            arrived = self.bytes_taken_while_the_programs_go(far)
            self.assertTrue(sender.is_alive(), "the transfer was over before the programs went")
            reader.hurry.set()
            sender.join(60)
            reader.join(60)
        self.assertEqual(reader.digest.digest(), hashlib.sha256(self.block * (BULK // len(self.block))).digest())
        print(f"{arrived:,} bytes came while the programs went")
        self.assertGreater(arrived, 0)

    def bytes_taken_while_the_programs_go(self, far: socket.socket) -> int:
        """Those that the stack took from when both programs were last seen until none was."""
        self.adaptor.signal(signal.SIGTERM)
        both_there = taken = bytes_received(far)
        while there := len(self.scene.attached("server")):
            if there >= PROGRAMS:
                both_there = taken
            taken = bytes_received(far)
        arrived = bytes_received(far) - both_there
        self.assertEqual(self.adaptor.wait(10), 0)
        return arrived

    def test_an_idle_connection_survives_the_removal_of_the_adaptor(self) -> None:
        with self.scene.growth() as grown:
            idle = self.scene.connect(PORT, 6)
            self.assertTrue(until(lambda: self.acceptor.accepted == 1, 2))
        self.assertEqual(grown["admitted"], 1)
        self.assertEqual(self.adaptor.stop(), 0)
        self.assert_echoes(idle)
        idle.close()

    def test_what_was_answered_before_the_end_is_still_admitted(self) -> None:
        peer = Peer(self.wire(), "10.90.1.1", PORT)
        peer.wire.send([peer.syn(LINUX)])
        synack = peer.listen("SA")
        self.assertIsNotNone(synack)
        time.sleep(1)
        self.adaptor.signal(signal.SIGTERM)
        time.sleep(1)
        with self.scene.growth() as grown:
            peer.wire.send([peer.ack(synack, b"late")])
            echoed = peer.listen("PA")
        self.assertIsNotNone(echoed)
        self.assertEqual(bytes(echoed[TCP].payload)[:4], b"late")
        self.assertEqual(grown["admitted"], 1)
        self.assertEqual(self.adaptor.wait(5), 0)

    def test_while_it_ends_new_peers_are_met_by_the_stack(self) -> None:
        self.assertTrue(self.adaptor_answers(1))
        self.adaptor.signal(signal.SIGTERM)
        self.assertTrue(until(lambda: not self.adaptor_answers(2), 1))
        with self.scene.growth() as grown, self.scene.connect(PORT, 4) as connection:
            self.assert_echoes(connection)
        self.assertGreaterEqual(grown["stopping"], 1)
        self.assertEqual(grown["admitted"], 0)

    def test_a_killed_daemon_leaves_a_working_adaptor(self) -> None:
        self.adaptor.signal(signal.SIGKILL)
        self.adaptor.wait(5)
        self.assertTrue(self.leftovers())
        self.assertTrue(self.adaptor_answers(1))
        with self.scene.protocol_growth("server") as stack:
            for family in (4, 6):
                with self.scene.connect(PORT, family) as connection:
                    self.assert_echoes(connection)
        self.assertEqual(stack["TcpPassiveOpens"], 2)

    def test_a_new_daemon_takes_over_from_a_killed_one(self) -> None:
        peer = Peer(self.wire(), "10.90.1.1", PORT)
        peer.wire.send([peer.syn(LINUX)])
        synack = peer.listen("SA")
        self.assertIsNotNone(synack)
        self.adaptor.signal(signal.SIGKILL)
        self.adaptor.wait(5)
        self.scene.adapt()
        self.scene.wait_until_served(PORT)
        self.assertTrue(until(lambda: len(self.scene.attached("server")) == 2, 2))  # two more while it rehearses
        with self.scene.growth() as grown:
            peer.wire.send([peer.ack(synack, b"begun before")])  # the handshake was begun with the former
            echoed = peer.listen("PA")
            with self.scene.connect(PORT, 4) as connection:
                self.assert_echoes(connection)
        self.assertIsNotNone(echoed)
        self.assertEqual(grown["admitted"], 2)
        self.assertEqual(self.scene.adaptor.stop(), 0)  # type: ignore[union-attr]
        self.assertEqual(self.scene.attached("server"), [])
        self.assertEqual(self.leftovers(), [])


class OneBatch(SceneTest):
    """Segments that the host's receiving thread finds in its queue together."""

    @classmethod
    def arrange(cls) -> None:
        cls.cpu = min(os.sched_getaffinity(0))
        cls.scene.pin_receive("server", "eth0", cls.cpu)
        cls.listener = cls.scene.listen(PORT, 6)
        cls.addClassCleanup(cls.listener.close)
        cls.scene.adapt()
        cls.scene.wait_until_served(PORT)

    def setUp(self) -> None:
        self.wire = self.closing(Wire(self.scene))

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """What is sent in this block: the receiving thread must wait for its CPU."""
        able = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self.cpu})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        try:
            yield
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            os.sched_setaffinity(0, able)

    def test_a_fin_behind_the_ack_of_the_host_s_own(self) -> None:
        """At that ACK the stack puts a smaller socket in the place of the connection's (FIN-WAIT-2, nobody's any more).
        If the handoff had claimed the FIN for the former, it would be lost."""
        for family in (4, 6):
            with self.subTest(family=family):
                (peer,) = peers_of(self.wire, PORT, 1, family)
                with self.scene.growth() as grown:
                    peer.shake_hands(WINDOWS)
                    self.listener.accept()[0].close()
                    fin = peer.listen("F")
                self.assertEqual(grown["admitted"], 1)
                assert fin
                ack, own = (peer.frame(flags, peer.isn + 1, fin[TCP].seq + 1, []) for flags in ("A", "FA"))
                with self.together():
                    self.wire.send([ack, own])
                self.assertIsNotNone(peer.listen("A", 0.15), "the peer must send its FIN again")


if __name__ == "__main__":
    main()
