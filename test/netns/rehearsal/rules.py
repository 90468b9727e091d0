"""Rules that close ports, or lead them elsewhere, in the words of nftables and of iptables."""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from scene import Scene  # noqa: E402

# --- Closed, open to some, rejected -----------------------------------------------------------------------------------

DROPPED, SOME_ONLY, RESET, UNREACHABLE, PROHIBITED, OPEN = range(9001, 9007)

CLOSING = f"""
    table inet closing {{
        chain input {{
            type filter hook input priority filter;
            tcp dport {DROPPED} drop
            ip saddr != 10.0.0.0/8 tcp dport {SOME_ONLY} drop
            ip6 saddr != fd00::/8 tcp dport {SOME_ONLY} drop
            tcp dport {RESET} reject with tcp reset
            tcp dport {UNREACHABLE} reject
            tcp dport {PROHIBITED} reject with icmpx admin-prohibited
        }}
    }}"""


EARLY = f"""
    table inet early {{
        chain prerouting {{
            type filter hook prerouting priority raw;
            tcp dport {DROPPED} drop
        }}
    }}"""


def closing_by_iptables(v6: bool) -> str:
    near = "fd00::/8" if v6 else "10.0.0.0/8"
    prohibited = "icmp6-adm-prohibited" if v6 else "icmp-admin-prohibited"
    return "\n".join((
        "*filter",
        f"-A INPUT -p tcp --dport {DROPPED} -j DROP",
        f"-A INPUT ! -s {near} -p tcp --dport {SOME_ONLY} -j DROP",
        f"-A INPUT -p tcp --dport {RESET} -j REJECT --reject-with tcp-reset",
        f"-A INPUT -p tcp --dport {UNREACHABLE} -j REJECT",
        f"-A INPUT -p tcp --dport {PROHIBITED} -j REJECT --reject-with {prohibited}",
        "COMMIT", ""))


# --- Led elsewhere: to another port here, and to a container behind the server ----------------------------------------

REDIRECTED, PUBLISHED, PLAIN, BEHIND = 9001, 9002, 9003, 9011

DOCKER = f"""
    table inet docker {{
        chain prerouting {{
            type nat hook prerouting priority dstnat;
            fib daddr type local tcp dport {REDIRECTED} redirect to :{BEHIND}
            fib daddr type local meta nfproto ipv4 tcp dport {PUBLISHED} dnat ip to 10.88.1.2
            fib daddr type local meta nfproto ipv6 tcp dport {PUBLISHED} dnat ip6 to fd88:1::2
        }}
        chain postrouting {{
            type nat hook postrouting priority srcnat;
            oifname != "to-box" ip saddr 10.88.0.0/16 masquerade
        }}
    }}"""


def docker_by_iptables(v6: bool) -> str:
    box = "[fd88:1::2]" if v6 else "10.88.1.2"
    subnet = "fd88:1::/64" if v6 else "10.88.0.0/16"
    return "\n".join((
        "*nat",
        ":DOCKER - [0:0]",
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
        f"-A DOCKER -p tcp --dport {REDIRECTED} -j REDIRECT --to-ports {BEHIND}",
        f"-A DOCKER ! -i to-box -p tcp --dport {PUBLISHED} -j DNAT --to-destination {box}:{PUBLISHED}",
        f"-A POSTROUTING -s {subnet} ! -o to-box -j MASQUERADE",
        "COMMIT", ""))


# --- iptables ---------------------------------------------------------------------------------------------------------

BACKENDS = ("nft", "legacy")  # the older one announces nothing: its changes are found by looking every now and then


def restore(scene: Scene, backend: str, v6: bool, rules: str, ns: str = "server") -> None:
    scene.run(ns, [f"ip{'6' if v6 else ''}tables-{backend}-restore"], input=rules)


def empty(scene: Scene, backend: str, table: str, ns: str = "server") -> None:
    for v6 in (False, True):
        restore(scene, backend, v6, f"*{table}\nCOMMIT\n", ns)
