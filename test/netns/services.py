#!/usr/bin/python3
"""Real services behind the adaptor, and all the ways in which listeners come and go."""

from __future__ import annotations

import collections
import hashlib
import os
import pathlib
import socket
import threading
import time
import typing

from scene import Acceptor, SceneTest, echo_once, main, receive_exactly, tcp_info, until

WEB = 80
BULK = 200 << 20


def write_random(file: pathlib.Path, length: int) -> str:
    """Fills the file with what does not repeat; returns its digest."""
    seed, digest = os.urandom(1 << 20), hashlib.sha256()
    with file.open("wb") as out:
        for number in range(length >> 20):
            block = number.to_bytes(8, "big") + seed[8:]
            out.write(block)
            digest.update(block)
    return digest.hexdigest()


class Services(SceneTest):
    ports: typing.ClassVar[typing.Iterator[int]]

    @classmethod
    def arrange(cls) -> None:
        cls.ports = iter(range(7000, 8000))  # each test its own
        cls.scene.nginx("server", WEB)
        cls.scene.adapt()
        cls.scene.wait_until_served(WEB)

    def accepting(self, family: int = 6, **options: typing.Any) -> tuple[int, Acceptor]:
        """A listener that echoes, served by the adaptor."""
        port = next(self.ports)
        acceptor = self.closing(Acceptor(self.scene.listen(port, family, **options), echo_once))
        self.scene.wait_until_served(port, (4, 6) if family == 6 else (4,))
        return port, acceptor

    def assert_echoes(self, connection: socket.socket, text: bytes = b"hello") -> None:
        connection.sendall(text)
        self.assertEqual(receive_exactly(connection, len(text)), text)

    # --- Services -----------------------------------------------------------------------------------------------------

    def page(self, family: int) -> None:
        host = f"[{self.scene.server.v6}]" if family == 6 else self.scene.server.v4
        with self.scene.growth() as grown:
            said = self.scene.run("client", ["curl", "-sgm", 10, f"http://{host}:{WEB}/"]).stdout
        self.assertEqual(said, f"server, port {WEB}\n")
        self.assertEqual(grown["admitted"], 1)

    def test_nginx_serves_a_page_v4(self) -> None:
        self.page(4)

    def test_nginx_serves_a_page_v6(self) -> None:
        self.page(6)

    def test_200_megabytes_come_down_whole(self) -> None:
        pages = self.scene.directory / f"nginx-server-{WEB}" / "pages"
        sent = write_random(pages / "random", BULK)
        digest = hashlib.sha256()
        with self.scene.growth() as grown, self.scene.connect(WEB, 4, timeout=60) as connection:
            connection.sendall(b"GET /random HTTP/1.0\r\n\r\n")
            stream = connection.makefile("rb")
            while stream.readline().strip():
                pass
            while data := stream.read(1 << 20):
                digest.update(data)
        (pages / "random").unlink()
        self.assertEqual(digest.hexdigest(), sent)
        self.assertEqual(grown["admitted"], 1)

    def test_200_megabytes_go_up_whole(self) -> None:
        file = self.scene.directory / "upload"
        sent, digest = write_random(file, BULK), hashlib.sha256()

        def take(connection: socket.socket) -> None:
            while data := connection.recv(1 << 20):
                digest.update(data)

        port = next(self.ports)
        acceptor = Acceptor(self.scene.listen(port, 6), take)
        self.scene.wait_until_served(port)
        with self.scene.growth() as grown:
            with self.scene.connect(port, 6, timeout=60) as connection, file.open("rb") as source:
                connection.sendfile(source)
            self.assertTrue(until(lambda: acceptor.accepted == 1, 2))
            acceptor.close()
        file.unlink()
        self.assertEqual(digest.hexdigest(), sent)
        self.assertEqual(grown["admitted"], 1)

    def test_a_server_that_speaks_first_openssh(self) -> None:
        port, folder = next(self.ports), self.scene.directory / "ssh"
        folder.mkdir()
        for name in ("host", "user"):
            self.scene.run("server", ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name])
        (folder / "config").write_text(f"Port {port}\nHostKey {folder}/host\nPidFile none\nUsePAM no\nStrictModes no\n"
                                       f"PermitRootLogin prohibit-password\nAuthorizedKeysFile {folder}/user.pub\n")
        # Its privilege separation directory must be there; not on the machine's own /run.
        self.scene.spawn("server", ["unshare", "--mount", "sh", "-c",
                                    f"mount -t tmpfs tmpfs /run && mkdir /run/sshd && "
                                    f"exec /usr/sbin/sshd -D -e -f {folder}/config"])
        self.scene.wait_until_listening("server", port)
        self.scene.wait_until_served(port)
        for address in (self.scene.server.v4, self.scene.server.v6):
            with self.scene.growth() as grown:
                said = self.scene.run("client", ["ssh", "-i", folder / "user", "-p", port, "-F", "none",
                                                 "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
                                                 "-o", "UserKnownHostsFile=/dev/null",
                                                 f"root@{address}", "echo", "logged", "in"], timeout=20).stdout
            self.assertEqual(said, "logged in\n")
            self.assertEqual(grown["admitted"], 1)

    def test_64_connections_at_once(self) -> None:
        port = next(self.ports)
        listener = self.closing(self.scene.listen(port, 6))
        self.scene.wait_until_served(port)
        with self.scene.growth() as grown:
            near = [self.closing(self.scene.connect(port, 4 if n % 2 else 6)) for n in range(64)]
            far = [self.closing(listener.accept()[0]) for _ in near]
            for number, connection in enumerate(near):
                connection.sendall(b"%06d" % number)
            self.assertEqual({int(receive_exactly(connection, 6)) for connection in far}, set(range(64)))
        self.assertEqual(grown["admitted"], 64)
        self.assertEqual({tcp_info(connection).retransmitted for connection in near + far}, {0})

    # --- Listeners ----------------------------------------------------------------------------------------------------

    def test_each_member_of_a_reuseport_group_gets_its_share(self) -> None:
        def share(listener: socket.socket) -> None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)

        port, number = next(self.ports), 200
        group = [self.closing(Acceptor(self.scene.listen(port, 6, prepare=share), echo_once)) for _ in range(4)]
        self.scene.wait_until_served(port)
        with self.scene.growth() as grown:
            for n in range(number):
                with self.scene.connect(port, 4 if n % 2 else 6) as connection:
                    self.assert_echoes(connection)
        shares = [acceptor.accepted for acceptor in group]
        self.assertEqual((grown["admitted"], sum(shares)), (number, number))
        self.assertGreater(min(shares), number // 20, shares)

    def test_a_listener_started_after_us_is_served_within_a_second(self) -> None:
        port = next(self.ports)
        with self.assertRaises(ConnectionRefusedError):
            self.scene.connect(port, 4)
        started = time.monotonic()
        self.closing(Acceptor(self.scene.listen(port, 6), echo_once))
        with self.scene.growth() as grown:
            self.assertTrue(until(lambda: self.is_admitted(port), 1))
        print(f"served {time.monotonic() - started:.3f} s after it started")
        self.assertGreaterEqual(grown["admitted"], 1)

    def is_admitted(self, port: int) -> bool:
        """Connects, successfully in any case; says whether the adaptor did it."""
        with self.scene.growth() as grown, self.scene.connect(port, 4) as connection:
            self.assert_echoes(connection)
        return grown["admitted"] == 1

    def test_a_listener_that_stopped_is_refused_by_the_stack(self) -> None:
        port, acceptor = self.accepting()
        with self.scene.connect(port, 4) as connection:
            self.assert_echoes(connection)
        acceptor.close()
        with self.scene.growth() as grown, self.scene.protocol_growth("server") as stack:
            for family in (4, 6):
                with self.assertRaises(ConnectionRefusedError):
                    self.scene.connect(port, family)
        self.assertEqual((grown["syn_answered"], grown["no_listener"]), (0, 2))
        self.assertGreaterEqual(stack["TcpOutRsts"], 2)

    def test_a_listener_that_comes_back_is_served_again(self) -> None:
        port, acceptor = self.accepting()
        acceptor.close()
        self.closing(Acceptor(self.scene.listen(port, 6), echo_once))
        self.assertTrue(until(lambda: self.is_admitted(port), 1))

    def test_a_dual_stack_listener_is_reached_over_both_families(self) -> None:
        port, acceptor = self.accepting()
        for family in (4, 6):
            with self.scene.growth() as grown, self.scene.connect(port, family) as connection:
                self.assert_echoes(connection)
            self.assertEqual(grown["admitted"], 1)
        self.assertEqual(acceptor.accepted, 2)

    def test_a_listener_for_one_family_is_refused_over_the_other(self) -> None:
        port, _ = self.accepting(4)
        with self.assertRaises(ConnectionRefusedError):
            self.scene.connect(port, 6)

    def test_a_link_local_address_is_served_too(self) -> None:
        port, acceptor = self.accepting()
        links = self.scene.ip("server", "-6 -o address show dev eth0 scope link").split()
        address = next(word for word in links if word.startswith("fe80:")).split("/")[0]

        def connect() -> bool:
            with self.scene.growth() as grown, self.scene.socket("client", 6) as connection:
                with self.scene.inside("client"):
                    scope = socket.if_nametoindex("eth0")
                connection.connect((address, port, 0, scope))
                self.assert_echoes(connection)
            return grown["admitted"] == 1

        self.assertTrue(until(connect, 3, 0.1), "the stack does it for ever")
        self.assertGreaterEqual(acceptor.accepted, 1)

    def test_a_listener_that_waits_for_data_gets_connections_with_data_only(self) -> None:
        port = next(self.ports)
        listener = self.closing(self.scene.listen(
            port, 6, prepare=lambda made: made.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)))
        self.scene.wait_until_served(port)
        with self.scene.growth() as grown, self.scene.connect(port) as silent, self.scene.connect(port) as talking:
            talking.sendall(b"first")
            connection = self.closing(listener.accept()[0])
            self.assertEqual(connection.getpeername()[1], talking.getsockname()[1])
            self.assertEqual(receive_exactly(connection, 5), b"first")
            listener.settimeout(0.3)
            with self.assertRaises(TimeoutError):
                listener.accept()
            silent.sendall(b"second")
            late = self.closing(listener.accept()[0])
            self.assertEqual(receive_exactly(late, 6), b"second")
        self.assertEqual((grown["admitted"], grown["accept_deferred"]), (2, 2))

    # --- The host as a client -----------------------------------------------------------------------------------------

    def test_the_hosts_own_outgoing_connections_do_not_notice(self) -> None:
        number, port = 100, next(self.ports)
        block, digests = os.urandom(1 << 20), collections.Counter[bytes]()

        def serve(connection: socket.socket) -> None:
            connection.sendall(block)
            connection.sendall(hashlib.sha256(receive_exactly(connection, len(block))).digest())

        self.closing(Acceptor(self.scene.listen(port, 6, ns="client"), serve))
        with self.scene.growth() as grown, self.scene.protocol_growth("server") as stack:
            for n in range(number):
                digests[self.exchange(port, 4 if n % 2 else 6, block)] += 1
        self.assertEqual(digests, {hashlib.sha256(block).digest(): number})
        self.assertEqual((grown["syn_answered"], grown["admitted"], stack["TcpActiveOpens"]), (0, 0, number))
        self.assertEqual(stack["TcpExtTCPSynRetrans"], 0)
        # A peer without a processor for a while is slow to acknowledge. What is then sent again had arrived: it says so.
        self.assertLessEqual(stack["TcpExtTCPTimeouts"], stack["TcpExtTCPDSACKRecv"])

    def exchange(self, port: int, family: int, block: bytes) -> bytes:
        """From the server to the client's listener: a block down, a block up; what the far end makes of it."""
        made = self.scene.socket("server", family)
        with made:
            made.connect((self.scene.client.address(family), port))
            self.assertEqual(receive_exactly(made, len(block)), block)
            sender = threading.Thread(target=made.sendall, args=(block,))
            sender.start()
            digest = receive_exactly(made, 32)
            sender.join()
        return digest


if __name__ == "__main__":
    main()
