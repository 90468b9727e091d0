#!/usr/bin/python3
"""A rehearsal whose frames are lost on the way to the stack, as happens in a flood, is no reason to leave a listener that
was served; but silence that lasts is."""

from __future__ import annotations

import ctypes
import pathlib
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from observing import ObservedTest  # noqa: E402
from scene import main, until  # noqa: E402

PORT = 9001
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27


class LostFrames(ObservedTest):
    @classmethod
    def prepare(cls) -> None:
        cls.listener = cls.servers.add(PORT)

    def lose(self) -> None:
        """Whatever comes for the listener, by means that announce nothing: a filter of the socket's own that takes none."""
        take_none = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0), 8)  # BPF_RET 0
        self.listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                                 struct.pack("=HxxxxxxQ", 1, ctypes.addressof(take_none)))

    def find(self) -> None:
        self.listener.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)

    def ask(self) -> None:
        """By a change that says nothing of this listener."""
        for verb in ("add", "del"):
            self.scene.ip("server", f"-4 route {verb} 10.88.200.0/24 via 10.77.0.1")
        time.sleep(0.5)

    def states(self) -> set[str]:
        return {(self.scene.endpoint(PORT, family) or {"state": "not on file"})["state"] for family in (4, 6)}

    def test_one_silent_rehearsal_is_no_reason(self) -> None:
        with self.adapted((PORT,)):
            for _ in range(3):
                self.lose()
                self.ask()
                self.assertEqual(self.states(), {"served"})
                self.find()
                time.sleep(1.5)  # it was heard again
            self.assertEqual(self.states(), {"served"})

    def test_lasting_silence_is(self) -> None:
        with self.adapted((PORT,)):
            self.lose()
            self.ask()
            self.assertTrue(until(lambda: self.states() == {"left"}, 8), self.states())
            self.find()
            self.ask()
            self.assertTrue(until(lambda: self.states() == {"served"}, 2), self.states())


if __name__ == "__main__":
    main()
