#!/usr/bin/python3
"""Whole rulesets as people have them, without and with NAT rules beside them: a peer sees the same with and without the
adaptor. Where the handoff cannot work, the listener is left to the stack, and `status` says why and what to do."""

from __future__ import annotations

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from observing import ObservedTest, Question, Rules, from_everywhere  # noqa: E402
from scene import main  # noqa: E402

OPEN, TALKATIVE, SHUT = 9001, 9002, 9003

NAT = "\n".join(f"""
    table {family} nat {{
        chain prerouting {{ type nat hook prerouting priority dstnat; tcp dport 7777 dnat to {target}; }}
        chain postrouting {{ type nat hook postrouting priority srcnat; ip{six} {protocol} icmp masquerade; }}
    }}"""
    for family, target, six, protocol in (("ip", "10.88.9.9", "", "protocol"), ("ip6", "fd88:9::9", "6", "nexthdr")))

UFW = f"""
    table inet ufw {{
        chain input {{
            type filter hook input priority filter; policy drop;
            iif lo accept
            ct state established,related accept
            ct state invalid drop
            meta l4proto {{ icmp, ipv6-icmp }} accept
            tcp dport {{ {OPEN}, {TALKATIVE} }} accept
        }}
        chain output {{
            type filter hook output priority filter; policy accept;
            ct state established,related accept
        }}
    }}"""

FIREWALLD = f"""
    table inet firewalld {{
        chain mangle_PREROUTING {{
            type filter hook prerouting priority mangle + 10;
            meta nfproto ipv6 fib saddr . iif oif missing drop
        }}
        chain filter_INPUT {{
            type filter hook input priority filter + 10;
            ct state {{ established, related }} accept
            ct status dnat accept
            iifname lo accept
            ct state invalid drop
            jump filter_INPUT_ZONES
            reject with icmpx admin-prohibited
        }}
        chain filter_INPUT_ZONES {{ goto filter_IN_public; }}
        chain filter_IN_public {{ jump filter_IN_public_allow; meta l4proto {{ icmp, ipv6-icmp }} accept; }}
        chain filter_IN_public_allow {{ tcp dport {{ {OPEN}, {TALKATIVE} }} accept; }}
        chain filter_OUTPUT {{
            type filter hook output priority filter + 10;
            ct state {{ established, related }} accept
        }}
    }}"""

NEW_ONLY = f"""
    table inet picky {{
        chain input {{
            type filter hook input priority filter; policy drop;
            ct state established,related accept
            meta l4proto {{ icmp, ipv6-icmp }} accept
            ct state new tcp dport {{ {OPEN}, {TALKATIVE} }} accept
        }}
    }}"""

NEW_IS_SYN = f"""
    table inet strict {{
        chain input {{
            type filter hook input priority filter;
            tcp dport {OPEN} tcp flags & (fin | syn | rst | ack) != syn ct state new drop
        }}
    }}"""

INVALID_DROP = """
    table inet sound {
        chain input {
            type filter hook input priority filter;
            ct state invalid drop
        }
    }"""

BOTH_WAYS = f"""
    table inet narrow {{
        chain input {{
            type filter hook input priority filter; policy drop;
            ct state established accept
            meta l4proto {{ icmp, ipv6-icmp }} accept
            tcp dport {{ {OPEN}, {TALKATIVE} }} accept
        }}
        chain output {{
            type filter hook output priority filter; policy drop;
            ct state established accept
            meta l4proto {{ icmp, ipv6-icmp }} accept
        }}
    }}"""

NO_RESETS = f"""
    table inet mute {{
        chain input {{
            type filter hook input priority filter;
            tcp dport {OPEN} tcp flags rst drop
        }}
    }}"""


class Rulesets(ObservedTest):
    @classmethod
    def prepare(cls) -> None:
        cls.servers.add(OPEN)
        cls.servers.add(TALKATIVE, speak_first=True)
        cls.servers.add(SHUT)

    def questions(self) -> list[Question]:
        return [*from_everywhere(OPEN, SHUT), *from_everywhere(TALKATIVE, speak_first=True)]

    def under(self, ruleset: str, nat: bool, differ: bool = True) -> str:
        """Compares; returns "served", or why the open port was left to the stack under the ruleset."""
        state = []

        def add() -> None:
            self.nft("flush ruleset\n" + ruleset + (NAT if nat else ""))

        def remove() -> None:
            if self.scene.adaptor:
                found = self.scene.endpoint(OPEN, 4)
                state.append(found["state"] if found and found["state"] == "served" else (found or {}).get("why"))
            self.nft("flush ruleset")

        self.compare(Rules(add, remove), self.questions(), differ, (OPEN, TALKATIVE, SHUT))
        return state[0]

    def test_ufw(self) -> None:
        self.assertEqual(self.under(UFW, nat=False), "served")

    def test_ufw_and_nat(self) -> None:
        self.assertEqual(self.under(UFW, nat=True), "served")

    def test_firewalld(self) -> None:
        self.assertEqual(self.under(FIREWALLD, nat=False), "served")

    def test_firewalld_and_nat(self) -> None:
        self.assertEqual(self.under(FIREWALLD, nat=True), "served")

    def test_new_only(self) -> None:
        self.assertEqual(self.under(NEW_ONLY, nat=False), "served")

    def test_new_only_and_nat(self) -> None:
        self.assertIn("accepts the port whatever its ct state", self.under(NEW_ONLY, nat=True))

    def test_new_must_be_syn(self) -> None:
        self.assertIn("accept new connections without the SYN flag", self.under(NEW_IS_SYN, nat=False, differ=False))

    def test_not_loose_and_no_invalid(self) -> None:
        """The rule stands; that it bites is a sysctl's doing. What conntrack remembers misleads nobody."""
        name = "net.netfilter.nf_conntrack_tcp_loose"
        why = []

        def remove() -> None:
            why.append((self.scene.endpoint(OPEN, 4) or {}).get("why") if self.scene.adaptor else None)
            self.scene.sysctl("server", name, 1)

        self.nft(INVALID_DROP)
        self.addCleanup(self.nft, "flush ruleset")
        rules = Rules(lambda: self.scene.sysctl("server", name, 0), remove)
        self.compare(rules, self.questions(), differ=False, served=(OPEN, TALKATIVE, SHUT))
        self.assertIn("nf_conntrack_tcp_loose=1", why[1])

    def test_narrow_both_ways(self) -> None:
        self.assertEqual(self.under(BOTH_WAYS, nat=False), "served")

    def test_narrow_both_ways_and_nat(self) -> None:
        self.assertIn("accepts the port whatever its ct state", self.under(BOTH_WAYS, nat=True))

    def test_no_resets(self) -> None:
        """The half-open connections of a rehearsal, which no RST of ours can clear here, do not outlive it either."""
        self.nft(NO_RESETS)
        self.addCleanup(self.nft, "flush ruleset")
        with self.adapted((OPEN, TALKATIVE)):
            for _ in range(2):
                self.nft("add table inet nothing")
                self.nft("delete table inet nothing")
                time.sleep(0.4)
                self.assertEqual(self.scene.run("server", ["ss", "-Htan", "state", "syn-recv"]).stdout, "")
            time.sleep(1.2)  # by then the stack would have repeated its SYN-ACK


if __name__ == "__main__":
    main()
