#!/usr/bin/python3
"""What `vestibule status` tells: attachments, mode, the keys' age, and every counter, for people and for programs."""

from __future__ import annotations

import json
import re
import typing

from scene import BPF_TCX_INGRESS, Acceptor, SceneTest, echo_once, main, query_programs, receive_exactly, tool
from process import ROOT

PORT = 7000
REASONS = re.findall(r'^REASON\((\w+), "([^"]+)"\)$', (ROOT / "abi/reason.def").read_text(), re.MULTILINE)


class Status(SceneTest):
    @classmethod
    def arrange(cls) -> None:
        acceptor = Acceptor(cls.scene.listen(PORT, 6), echo_once)
        cls.addClassCleanup(acceptor.close)
        cls.scene.adapt()
        cls.scene.wait_until_served(PORT)
        with cls.scene.connect(PORT) as connection:
            connection.sendall(b"hello")
            receive_exactly(connection, 5)

    def text(self) -> str:
        return self.scene.run("server", [tool("cli/vestibule"), "status"]).stdout

    def programs(self) -> tuple[int, int]:
        """What the kernel says stands at eth0: the adaptor, the handoff."""
        (link,) = json.loads(self.scene.ip("server", "-j -d link show eth0"))
        with self.scene.inside("server"):
            (handoff,) = query_programs(link["ifindex"], BPF_TCX_INGRESS)
        return link["xdp"]["prog"]["id"], handoff

    def test_programs_find_interfaces_and_modes(self) -> None:
        (interface,) = typing.cast(list[dict[str, object]], self.scene.status("server")["interfaces"])
        self.assertEqual((interface["name"], interface["xdp_mode"]), ("eth0", "native"))
        self.assertEqual((interface["xdp_program"], interface["tc_ingress_program"]), self.programs())

    def test_programs_find_every_reason_counted(self) -> None:
        self.assertGreater(len(REASONS), 30)
        self.assertEqual(sorted(self.scene.counters("server")), sorted(name for name, _ in REASONS))

    def test_traffic_is_counted(self) -> None:
        counters = self.scene.counters("server")
        self.assertEqual((counters["syn_answered"], counters["admitted"]), (1, 1))
        self.assertGreater(counters["known_connection"], 0)

    def test_the_age_of_the_keys(self) -> None:
        status = self.scene.status("server")
        self.assertEqual(status["key_rotation_seconds"], 64)
        self.assertIn(status["key_age_seconds"], range(64))
        self.assertRegex(self.text(), r"\Avestibule 'default': answering, keys \d+ s old \(new ones every 64 s\)\n")

    def test_people_read_what_is_attached(self) -> None:
        adaptor, handoff = self.programs()
        self.assertRegex(self.text(), rf"(?m)^  eth0 +XDP native: adaptor, program {adaptor}; "
                                      rf"TC ingress: handoff, program {handoff}$")

    def test_people_read_who_is_served(self) -> None:
        for address in (self.scene.server.v4, f"[{self.scene.server.v6}]"):
            self.assertRegex(self.text(), rf"(?m)^  {re.escape(address)}:{PORT} +eth0 +served, asked \d+ s ago$")

    def test_people_read_every_counter_and_what_it_means(self) -> None:
        text = self.text()
        for name, meaning in REASONS:
            self.assertRegex(text, rf"(?m)^  {name} +\d+  {re.escape(meaning)}$")
        self.assertRegex(text, r"(?m)^  admitted +1  ")
        self.assertRegex(text, r"(?m)^  handoff_refused +0  ")

    def test_an_interface_that_is_gone_is_not_said_to_be_attached(self) -> None:
        self.scene.veth("client", "eth1", "server", "eth1")
        other = self.scene.vestibule("server", "eth1", "--instance", "other")
        self.scene.ip("server", "link delete eth1")
        said = self.scene.run("server", [tool("cli/vestibule"), "status", "--instance", "other"]).stdout
        self.assertRegex(said, r"(?m)^  eth1 .*adaptor, not attached any more; .*handoff, not attached any more$")
        other.stop()


if __name__ == "__main__":
    main()
