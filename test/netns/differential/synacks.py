#!/usr/bin/python3
"""The SYN-ACK is the plain kernel's, byte for byte but for the numbers that no two have in common: whatever the SYN
looks like, and however the server is set up."""

from __future__ import annotations

from asking import NEAR, Question, compare_all, features
from listeners import HOSTS, Host
from pair import PairTest, Setting, run
from report import Case, settle
from syns import damaged, every_shape, telling


class SynAcks(PairTest):
    def test_every_shape_and_every_setup(self) -> None:
        for setting in self.settings([Host("default")]):
            for family in setting.listener.families:
                for group, shapes in {**every_shape(), "damaged": damaged()}.items():
                    self.ask(setting, f"{group}, IPv{family}", setting.questions(family, shapes))
                near = setting.questions(family, telling())
                self.ask(setting, f"neighbour, IPv{family}", [on_the_link(question, family) for question in near])
        for setting in self.settings(HOSTS):
            for family in setting.listener.families:
                questions = setting.questions(family, telling(*setting.host.shapes, *setting.listener.shapes))
                self.ask(setting, setting.group(family), questions)
        settle(self.report, __file__, self.record)

    def ask(self, setting: Setting, group: str, questions: list[Question]) -> None:
        for question, plain, ours in compare_all(*self.interviews, questions, setting.at_once):
            case = Case(group, question.shape.name)
            self.report.add(case, features(question, plain), features(question, ours), ours.answerer)
            with self.subTest(case=str(case)):
                self.assertEqual(ours.answerer, setting.answerer(question.shape) or ours.answerer)


def on_the_link(question: Question, family: int) -> Question:
    return Question(question.shape, NEAR[family], question.target, question.port)


if __name__ == "__main__":
    run(SynAcks)
