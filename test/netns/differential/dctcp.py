#!/usr/bin/python3
"""Listeners with DCTCP, which needs ECN: SYN-ACKs, and the sockets that accept() returns, are the plain kernel's."""

from __future__ import annotations

import dataclasses
import unittest
from collections.abc import Iterator

import congestion
import connections
from asking import compare_all
from listeners import HOSTS, Host
from pair import run
from report import Case, settle
from syns import telling

NAME = "dctcp"


def hosts() -> Iterator[Host]:
    for host in HOSTS:
        if listeners := tuple(each for each in host.listeners if each.congestion_control == NAME):
            yield dataclasses.replace(host, listeners=listeners)


class Dctcp(connections.Connections):
    kinds = ("adaptor", "stack", "nobody")

    @classmethod
    def setUpClass(cls) -> None:
        if not congestion.is_there(NAME):
            raise unittest.SkipTest("this kernel lacks DCTCP")
        super().setUpClass()
        for scene in cls.scenes:
            scene.run("server", ["ethtool", "-K", "eth0", "tx", "off"])  # the stack's checksums are complete, too
    test_every_shape_and_every_setup = test_nothing_is_accepted_nor_held_before_data = None  # theirs

    def test_dctcp(self) -> None:
        for setting in self.settings(list(hosts())):
            for family in setting.listener.families:
                shapes = telling(*setting.host.shapes, *setting.listener.shapes)
                self.connect(setting, setting.group(family), setting.questions(family, shapes))
                asked = setting.questions(family, shapes)
                for question, plain, ours in compare_all(*self.interviews, asked, setting.at_once):
                    case = Case(f"{setting.group(family)}, SYN-ACK", question.shape.name)
                    segment = question.segment()
                    self.report.add(case, plain.features(segment), ours.features(segment), ours.answerer)
        self.assertGreater(self.report.number("adaptor"), 0)
        self.assertGreater(self.report.cases, 30)
        settle(self.report, __file__, self.record)


if __name__ == "__main__":
    run(Dctcp)
