#!/usr/bin/python3
"""An interface in a VRF: whatever the adaptor makes of it, peers see what the plain kernel shows them."""

from __future__ import annotations

import unittest

import setups
from pair import run
from report import settle


class Vrf(setups.Setups):
    test_every_setup = None  # theirs

    @classmethod
    def setUpClass(cls) -> None:
        if not setups.has_vrf():
            raise unittest.SkipTest("this kernel lacks VRF")
        super().setUpClass()

    def test_an_interface_in_a_vrf(self) -> None:
        self.try_vrf()
        self.assertGreater(self.report.cases, 30)
        settle(self.report, __file__, self.record)


if __name__ == "__main__":
    run(Vrf)
