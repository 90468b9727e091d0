#!/usr/bin/python3
"""Handshakes that only the stack can do (MPTCP, TCP Fast Open, MD5 signatures): they work as without the adaptor, which
counts them and lets them be. Plain peers of the same listeners are the adaptor's where that is possible."""

from __future__ import annotations

import socket
import struct

from scene import Acceptor, SceneTest, echo_once, main, receive_exactly

TCP_MD5SIG = 14
MSG_FASTOPEN = 0x20000000
HELLO = b"hello"


def fast_open(listener: socket.socket) -> None:
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)


def signed_with(peer: str, key: bytes = b"a secret between routers"):  # type: ignore[no-untyped-def]
    """A socket option: connections with that peer bear MD5 signatures (struct tcp_md5sig)."""
    address = struct.pack("=HH4s120x", socket.AF_INET, 0, socket.inet_aton(peer))
    option = address + struct.pack("=BBHI80s", 0, 0, len(key), 0, key)
    return lambda made: made.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, option)


class StackOwned(SceneTest):
    @classmethod
    def arrange(cls) -> None:
        cls.ports = iter(range(7000, 7100))
        for ns in ("client", "server"):
            cls.scene.sysctl(ns, {"net.ipv4.tcp_fastopen": 3, "net.mptcp.enabled": 1})
        cls.scene.adapt()

    def assert_echoes(self, connection: socket.socket, text: bytes = HELLO) -> None:
        connection.sendall(text)
        self.assertEqual(receive_exactly(connection, len(text)), text)

    # --- MPTCP --------------------------------------------------------------------------------------------------------

    def multipath(self, listening: int, connecting: int) -> tuple[dict[str, int], int]:
        """Four connections; what the adaptor counts, and how many of them were multipath."""
        port = next(self.ports)
        self.closing(Acceptor(self.scene.listen(port, 6, protocol=listening), echo_once))
        self.scene.wait_until_served(port)
        with self.scene.growth() as grown:
            before = self.multipath_sockets()
            for family in (4, 6, 4, 6):
                with self.scene.connect(port, family, protocol=connecting) as connection:
                    self.assert_echoes(connection)
            return grown, self.multipath_sockets() - before

    def multipath_sockets(self) -> int:
        """MPTCP handshakes that the server completed."""
        return self.scene.netstat("server")["MPTcpExtMPCapableACKRX"]

    def test_an_mptcp_peer_of_an_mptcp_listener_gets_mptcp_from_the_stack(self) -> None:
        grown, multipath = self.multipath(socket.IPPROTO_MPTCP, socket.IPPROTO_MPTCP)
        self.assertEqual((grown["syn_multipath"], grown["admitted"], multipath), (4, 0, 4))

    def test_a_plain_peer_of_an_mptcp_listener_is_the_stacks(self) -> None:
        grown, multipath = self.multipath(socket.IPPROTO_MPTCP, 0)
        self.assertEqual((grown["syn_multipath"], grown["admitted"], multipath), (4, 0, 0))

    def test_an_mptcp_peer_of_a_plain_listener_falls_back_to_tcp_through_the_adaptor(self) -> None:
        grown, multipath = self.multipath(0, socket.IPPROTO_MPTCP)
        self.assertEqual((grown["syn_multipath"], grown["admitted"], multipath), (0, 4, 0))

    # --- TCP Fast Open ------------------------------------------------------------------------------------------------

    def assert_echoes_at_once(self, port: int) -> None:
        """A peer that sends without waiting for the handshake."""
        with self.scene.socket("client") as connection:
            connection.settimeout(None)  # a socket with a timeout does not wait, for Linux
            connection.sendto(HELLO, MSG_FASTOPEN, (self.scene.server.v4, port))
            self.assertEqual(receive_exactly(connection, len(HELLO)), HELLO)

    def test_fast_open_peers_are_the_stacks(self) -> None:
        port = next(self.ports)
        self.closing(Acceptor(self.scene.listen(port, 6, prepare=fast_open), echo_once))
        self.scene.wait_until_served(port)
        with self.scene.growth() as grown, self.scene.protocol_growth("server") as stack:
            for _ in range(3):  # the first is given a cookie, the others send data with their SYN
                self.assert_echoes_at_once(port)
        self.assertEqual((grown["syn_fast_open"], grown["admitted"]), (3, 0))
        self.assertEqual((stack["TcpExtTCPFastOpenCookieReqd"], stack["TcpExtTCPFastOpenPassive"]), (1, 2))

    def test_plain_peers_of_a_fast_open_listener_are_the_adaptors(self) -> None:
        port = next(self.ports)
        self.closing(Acceptor(self.scene.listen(port, 6, prepare=fast_open), echo_once))
        self.scene.wait_until_served(port)
        with self.scene.growth() as grown:
            for family in (4, 6):
                with self.scene.connect(port, family) as connection:
                    self.assert_echoes(connection)
        self.assertEqual((grown["syn_fast_open"], grown["admitted"]), (0, 2))

    def test_a_fast_open_peer_of_a_plain_listener_is_the_adaptors(self) -> None:
        port = next(self.ports)
        self.closing(Acceptor(self.scene.listen(port, 6), echo_once))
        self.scene.wait_until_served(port)
        with self.scene.growth() as grown:
            self.assert_echoes_at_once(port)
        self.assertEqual((grown["syn_fast_open"], grown["admitted"]), (0, 1))

    # --- MD5 signatures -----------------------------------------------------------------------------------------------

    def test_signed_peers_are_the_stacks(self) -> None:
        port = next(self.ports)
        self.closing(Acceptor(self.scene.listen(port, prepare=signed_with(self.scene.client.v4)), echo_once))
        self.scene.wait_for_state("left", port, (4,))
        with self.scene.growth() as grown, self.scene.protocol_growth("server") as stack:
            for _ in range(3):
                with self.scene.connect(port, prepare=signed_with(self.scene.server.v4)) as connection:
                    self.assert_echoes(connection)
        self.assertEqual((grown["syn_signed"], grown["admitted"]), (3, 0))
        self.assertEqual(stack["TcpExtTCPMD5Failure"], 0)

    def test_unsigned_peers_of_a_signed_listener_get_no_answer(self) -> None:
        port = next(self.ports)
        self.closing(Acceptor(self.scene.listen(port, prepare=signed_with(self.scene.client.v4)), echo_once))
        self.scene.wait_for_state("left", port, (4,))
        with self.scene.growth() as grown, self.assertRaises(TimeoutError):
            self.scene.connect(port, timeout=0.5)
        self.assertEqual((grown["syn_answered"], grown["admitted"]), (0, 0))
        self.assertGreaterEqual(grown["left_to_stack"], 1)


if __name__ == "__main__":
    main()
