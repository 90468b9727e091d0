#!/usr/bin/python3
"""The SYN-ACK is the plain kernel's, byte for byte but for the numbers that no two have in common: whatever the SYN
looks like, and however the server is set up. So is what else comes back, and that nothing does."""

from __future__ import annotations

import select
import socket
import typing
from collections.abc import Iterator, Sequence

from accepted import ACCEPTED
from accepted_syns import SYNS
from asking import NEAR, Question, compare_all
from headers import every_header, v4_refused, v6_refused
from listeners import HOSTS, Host
from pair import PairTest, Setting, run
from report import Case, Report, settle
from syns import damaged, every_shape, named, telling

UNHURRIED = 0.3  # seconds
DEAF = 0.002  # of all cases, at most: SYNs that one server alone heard only the second time


class SynAcks(PairTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.report = Report(cls.kinds, (*ACCEPTED, *SYNS))
        for scene in cls.scenes:
            scene.run("server", ["ethtool", "-K", "eth0", "tx", "off"])  # the stack's checksums are complete, too

    def test_every_shape_and_every_setup(self) -> None:
        for setting in self.settings([Host("default")]):
            for family in setting.listener.families:
                for group, shapes in {**every_shape(), **every_header(family), "damaged": damaged()}.items():
                    self.ask(setting, f"{group}, IPv{family}", setting.questions(family, shapes))
                near = setting.questions(family, telling())
                self.ask(setting, f"neighbour, IPv{family}", [on_the_link(question, family) for question in near])
        for setting in self.settings(HOSTS):
            for family in setting.listener.families:
                questions = setting.questions(family, telling(*setting.host.shapes, *setting.listener.shapes))
                self.ask(setting, setting.group(family), questions)
        settle(self.report, __file__, self.record)
        self.judge_the_asking()

    def test_what_linux_refuses_becomes_no_connection(self) -> None:
        """Though the adaptor answers its SYN: the completing segment has the same headers."""
        for setting in self.settings([Host("default")]):
            for family, refused in ((4, v4_refused()), (6, v6_refused())):
                questions = setting.questions(family, [*refused, *named("Linux")])
                replies = self.interviews[1].open(questions)
                self.interviews[1].send(question.completion(reply.segment) for question, reply in replies.items()
                                        if reply.segment)
                self.assertEqual([peer[1] for peer in accepted(setting.sockets[1])], [questions[-1].source_port])
                self.interviews[1].send(question.reset() for question in questions)

    def ask(self, setting: Setting, group: str, questions: list[Question]) -> None:
        for question, plain, ours in compare_all(*self.interviews, questions, setting.at_once):
            case, asked = Case(group, question.shape.name), question.segment()
            self.report.add(case, plain.features(asked), ours.features(asked), ours.answerer)
            with self.subTest(case=str(case)):
                self.assertEqual(ours.answerer, setting.answerer(question.shape) or ours.answerer)

    def judge_the_asking(self) -> None:
        cases = sum(map(self.report.number, self.kinds))
        for interview in self.interviews:
            self.assertLessEqual(interview.deaf, DEAF * cases)
            self.assertEqual([(each.key, each.segment) for each in interview.strays], [])


def accepted(sockets: Sequence[socket.socket]) -> Iterator[tuple[typing.Any, ...]]:
    """The peers of the connections that have come."""
    while ready := select.select(sockets, [], [], UNHURRIED)[0]:
        connection, peer = ready[0].accept()
        connection.close()
        yield peer


def on_the_link(question: Question, family: int) -> Question:
    return Question(question.shape, NEAR[family], question.target, question.port)


if __name__ == "__main__":
    run(SynAcks)
