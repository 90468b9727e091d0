#!/usr/bin/python3
"""An interface in a VRF: whatever the adaptor makes of it, peers see what the plain kernel shows them."""

from __future__ import annotations

import setups
from pair import run
from report import settle


class Vrf(setups.Setups):
    test_every_setup = None  # theirs

    def test_an_interface_in_a_vrf(self) -> None:
        self.try_vrf()
        if not self.report.cases:
            self.skipTest("this kernel lacks VRF")
        self.assertGreater(self.report.cases, 30)
        settle(self.report, __file__, self.record)


if __name__ == "__main__":
    run(Vrf)
