#!/usr/bin/python3
"""The socket that accept() returns is the one that the plain kernel would have made: TCP_INFO, every option that
getsockopt() knows, and both names."""

from __future__ import annotations

import dataclasses
import select
import socket
import typing
from collections.abc import Iterator, Sequence

from asking import PATIENCE, PORTS, QUIET, Interview, Question
from frames import ACK, SYN, Segment
from listeners import HOSTS, LISTENERS, TCP, Host
from pair import PairTest, Setting, run
from report import Case, settle
from scene import Scene
from sockets import state_of
from syns import every_shape, offered_mss, telling
from terms import terms

REQUEST = b"GET / HTTP/1.1\r\nHost: example\r\n\r\n"

UNSAID = 536  # bytes, the kernel's word for a peer that names no MSS
UNHURRIED = 0.3  # after so long a silence, no more connections are waited for
TRIED_AGAIN = 0.002  # of the cases, at most: where one side alone accepted nothing, on a busy machine

State = dict[str, typing.Any]


@dataclasses.dataclass
class Outcome:
    """How one handshake ended."""

    state: State | None = None  # of the accepted socket; None: there was none
    reached_the_stack: bool = False
    synack: Segment | None = None


class Connections(PairTest):
    kinds = ("adaptor", "stack")

    def setUp(self) -> None:
        self.tried_again: list[Case] = []

    def test_every_shape_and_every_setup(self) -> None:
        with self.scenes[1].growth() as grown:
            for setting in self.settings([Host("default")]):
                for family in setting.listener.families:
                    for group, shapes in every_shape().items():
                        self.connect(setting, f"{group}, IPv{family}", setting.questions(family, shapes))
                    self.connect(setting, f"data at once, IPv{family}", setting.questions(family, telling()), REQUEST)
            for setting in self.settings(HOSTS):
                payload = REQUEST if setting.listener.told(TCP, socket.TCP_DEFER_ACCEPT) else b""
                for family in setting.listener.families:
                    questions = setting.questions(family, telling(*setting.host.shapes, *setting.listener.shapes))
                    self.connect(setting, setting.group(family), questions, payload)
        self.assertGreaterEqual(grown["admitted"], self.report.number("adaptor"))
        self.assertLessEqual(len(self.tried_again), TRIED_AGAIN * self.report.cases, self.tried_again)
        settle(self.report, __file__, self.record)

    def test_nothing_is_accepted_nor_held_before_data(self) -> None:
        """TCP_DEFER_ACCEPT. Here the adaptor does better than the plain kernel, which keeps half-open connections."""
        deferring = [each for each in LISTENERS if each.told(TCP, socket.TCP_DEFER_ACCEPT)]
        self.assertTrue(deferring)
        for setting in self.settings([Host("default", listeners=tuple(deferring))]):
            for family in setting.listener.families:
                questions = setting.questions(family, telling())
                for side, sockets, half_open in zip(self.interviews, setting.sockets, (len(questions), 0)):
                    replies = side.open(questions)
                    side.send(question.completion(reply.segment)
                              for question, reply in replies.items() if reply.segment)
                    self.assertEqual(select.select(sockets, [], [], UNHURRIED)[0], [])
                    self.assertEqual(len(self.half_open(side.scene, setting.port)), half_open)
                    side.send(question.reset() for question in questions)

    @staticmethod
    def half_open(scene: Scene, port: int) -> list[str]:
        found = scene.run("server", ["ss", "-Hnt", "state", "syn-recv", "sport", "=", f":{port}"])
        return found.stdout.splitlines()

    def connect(self, setting: Setting, group: str, questions: Sequence[Question], payload: bytes = b"") -> None:
        step = setting.at_once
        for first in range(0, len(questions), step):
            some = questions[first:first + step]
            found = [side.conclude(some) for side in self.handshakes(setting, payload)]
            for question in some:
                self.compare(setting, Case(group, question.shape.name), question, payload,
                             [side[question] for side in found])

    def compare(self, setting: Setting, case: Case, question: Question, payload: bytes, found: list[Outcome]) -> None:
        if (found[0].state is None) != (found[1].state is None):  # a busy machine may have been the reason
            self.tried_again.append(case)
            again = dataclasses.replace(question, source_port=next(PORTS))
            found = [side.conclude([again], PATIENCE)[again] for side in self.handshakes(setting, payload)]
        plain, ours = found
        if plain.state or ours.state:
            self.report.add(case, plain.state or {"accepted": "no"}, ours.state or {"accepted": "no"},
                            "stack" if ours.reached_the_stack else "adaptor")

    def handshakes(self, setting: Setting, payload: bytes) -> list[Handshakes]:
        return [Handshakes(*side, setting, payload) for side in zip(self.interviews, setting.sockets)]


@dataclasses.dataclass
class Handshakes:
    """Of one stage with one listener: brought to their end, looked at, and removed."""

    interview: Interview
    sockets: list[socket.socket]
    setting: Setting
    payload: bytes

    def conclude(self, questions: Sequence[Question], quiet: float = QUIET) -> dict[Question, Outcome]:
        replies = self.interview.open(questions, quiet)
        outcomes = {question: Outcome(None, reply.reached_the_stack, reply.segment)
                    for question, reply in replies.items()}
        agreed = {question: one.synack for question, one in outcomes.items()
                  if one.synack and one.synack.flags & (SYN | ACK) == SYN | ACK}
        self.interview.send(question.completion(synack, self.payload) for question, synack in agreed.items())
        by_port = {question.source_port: question for question in agreed}
        for connection, (_, port, *_) in self.accept(set(by_port)):
            with connection:
                outcomes[by_port[port]].state = {**state_of(connection), **self.terms_of(by_port[port])}
        self.interview.send(question.reset(len(self.payload)) for question in questions)
        return outcomes

    def terms_of(self, question: Question) -> State:
        offered, family = offered_mss(question.shape.options) or UNSAID, 6 if ":" in question.source else 4
        return terms(self.interview.scene, self.setting, self.sockets[0], offered, family)

    def accept(self, ports: set[int]) -> Iterator[tuple[socket.socket, tuple[typing.Any, ...]]]:
        """The connections from these ports, as they come. Late ones of an earlier time are not wanted any more."""
        while ports and (ready := select.select(self.sockets, [], [], UNHURRIED)[0]):
            for each in ready:
                connection, name = each.accept()
                if name[1] in ports:
                    ports.remove(name[1])
                    yield connection, name
                else:
                    connection.close()


if __name__ == "__main__":
    run(Connections)
