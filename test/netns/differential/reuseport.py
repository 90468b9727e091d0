#!/usr/bin/python3
"""A group of listeners at one port (SO_REUSEPORT): each connection gets to one of them, and over many peers to all. To
which one, two kernels need not agree: each has a secret of its own to choose by. A program of the group's is obeyed."""

from __future__ import annotations

import collections
import ctypes
import select
import socket
import struct
from collections.abc import Sequence

from asking import AT_ONCE, Interview, Question
from listeners import SOL, Host, Listener
from pair import PairTest, Setting, run
from syns import named

SO_ATTACH_REUSEPORT_CBPF = 51
BPF_RETURN = 6
MEMBERS, CHOSEN = 4, 2
PEERS = AT_ONCE  # that one member gets none of them by chance: 4 x 0.75^48, one in 250,000
PATIENCE = 2.0  # seconds

GROUP = Listener("SO_REUSEPORT", ((SOL, socket.SO_REUSEPORT, 1),), number=MEMBERS)


class Reuseport(PairTest):
    def test_every_member_gets_some(self) -> None:
        for setting in self.settings([Host("default", listeners=(GROUP,))]):
            for family in setting.listener.families:
                for got in self.shares(setting, family):
                    self.assertEqual(sum(got.values()), PEERS)
                    self.assertEqual(set(got), set(range(MEMBERS)))

    def test_a_program_of_the_group_is_obeyed(self) -> None:
        for setting in self.settings([Host("default", listeners=(GROUP,))]):
            for sockets in setting.sockets:
                choose(sockets[0], CHOSEN)
            for family in setting.listener.families:
                for got in self.shares(setting, family):
                    self.assertEqual(got, {CHOSEN: PEERS})

    def shares(self, setting: Setting, family: int) -> list[collections.Counter[int]]:
        """How many connections each member got: of the plain stage, and of ours."""
        questions = setting.questions(family, named("Linux") * PEERS)
        with self.scenes[1].growth() as grown:
            found = [share(*side, questions) for side in zip(self.interviews, setting.sockets)]
        self.assertEqual(grown["admitted"], PEERS)
        return found


def share(side: Interview, sockets: Sequence[socket.socket], questions: Sequence[Question]) -> collections.Counter[int]:
    replies = side.open(questions)
    side.send(question.completion(reply.segment) for question, reply in replies.items() if reply.segment)
    got: collections.Counter[int] = collections.Counter()
    while sum(got.values()) < len(questions) and (ready := select.select(sockets, [], [], PATIENCE)[0]):
        for each in ready:
            each.accept()[0].close()
            got[sockets.index(each)] += 1
    side.send(question.reset() for question in questions)
    return got


def choose(member: socket.socket, which: int) -> None:
    """Attaches a program to the member's group that returns nothing but this one's number."""
    program = ctypes.create_string_buffer(struct.pack("=HBBI", BPF_RETURN, 0, 0, which), 8)
    described = struct.pack("@HP", 1, ctypes.addressof(program))  # struct sock_fprog
    member.setsockopt(SOL, SO_ATTACH_REUSEPORT_CBPF, described)


if __name__ == "__main__":
    run(Reuseport)
