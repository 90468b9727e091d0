#!/usr/bin/python3
"""Links with large frames: in native mode, too, and with their large segments."""

from __future__ import annotations

import hashlib
import os
import threading
import typing

from scene import Scene, SceneTest, TcpInfo, main, tcp_info

PORT = 7000
BULK = 50 << 20
MTU = 9000


class Jumbo(SceneTest):
    plain: typing.ClassVar[dict[int, TcpInfo]]

    @classmethod
    def make(cls) -> Scene:
        return Scene(mtu=MTU)

    @classmethod
    def arrange(cls) -> None:
        cls.listener = cls.scene.listen(PORT, 6)
        cls.addClassCleanup(cls.listener.close)
        cls.plain = {family: cls.known(family) for family in (4, 6)}
        cls.adaptor = cls.scene.adapt()
        cls.scene.wait_until_served(PORT)

    @classmethod
    def known(cls, family: int) -> TcpInfo:
        with cls.scene.connect(PORT, family), cls.listener.accept()[0] as far:
            return tcp_info(far)

    def test_it_runs_in_native_mode(self) -> None:
        self.assertIn("eth0: XDP native", self.adaptor.text())

    def test_large_segments_are_agreed_upon_as_without_the_adaptor(self) -> None:
        for family, headers in ((4, 52), (6, 72)):
            with self.scene.growth() as grown:
                adapted = self.known(family)
            self.assertEqual(grown["admitted"], 1)
            self.assertEqual((adapted.snd_mss, adapted.advmss), (self.plain[family].snd_mss, self.plain[family].advmss))
            self.assertEqual(adapted.advmss, MTU - headers)

    def test_a_transfer_in_large_segments_comes_whole(self) -> None:
        block, digest = os.urandom(1 << 20), hashlib.sha256()

        def take(connection: typing.Any) -> None:
            while data := connection.recv(1 << 20):
                digest.update(data)

        with self.scene.growth() as grown, self.scene.connect(PORT, 4) as near, self.listener.accept()[0] as far:
            taker = threading.Thread(target=take, args=(far,))
            taker.start()
            for _ in range(BULK >> 20):
                near.sendall(block)
            near.shutdown(1)
            taker.join(30)
        self.assertEqual(digest.digest(), hashlib.sha256(block * (BULK >> 20)).digest())
        self.assertEqual(grown["admitted"], 1)


if __name__ == "__main__":
    main()
