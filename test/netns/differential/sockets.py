"""Everything that a program can learn of a connected socket: TCP_INFO, every socket option, both names."""

from __future__ import annotations

import errno
import functools
import socket
import struct
import sys
import typing

# struct tcp_info, byte by byte; the two bytes of bit fields are taken apart below.
LAYOUT = [
    ("B", "state ca_state retransmits probes backoff options scales flags"),
    ("I", "rto ato snd_mss rcv_mss unacked sacked lost retrans fackets last_data_sent last_ack_sent last_data_recv "
          "last_ack_recv pmtu rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space "
          "total_retrans"),
    ("Q", "pacing_rate max_pacing_rate bytes_acked bytes_received"),
    ("I", "segs_out segs_in notsent_bytes min_rtt data_segs_in data_segs_out"),
    ("Q", "delivery_rate busy_time rwnd_limited sndbuf_limited"),
    ("I", "delivered delivered_ce"),
    ("Q", "bytes_sent bytes_retrans"),
    ("I", "dsack_dups reord_seen rcv_ooopack snd_wnd rcv_wnd rehash"),
    ("H", "total_rto total_rto_recoveries"),
    ("I", "total_rto_time"),
]
NAMES = " ".join(names for _, names in LAYOUT).split()
FORMAT = "=" + "".join(code * len(names.split()) for code, names in LAYOUT)

# What the clock decides. Round trips are compared by themselves, among handshakes that took equally long.
CLOCK = {"rto", "rtt", "rttvar", "min_rtt", "rcv_rtt", "last_data_sent", "last_ack_sent", "last_data_recv",
         "last_ack_recv", "pacing_rate", "delivery_rate", "busy_time", "ato"}

# Every option of a level, but those whose values are those of one socket, processor or moment (SO_MARK, which the host
# may set; SO_INCOMING_CPU, SO_MEMINFO, SO_INCOMING_NAPI_ID, SO_COOKIE, SO_NETNS_COOKIE; TCP_INFO, which is taken apart,
# TCP_TIMESTAMP, TCP_CC_INFO) and those that want to be asked with an argument (multicast filters, packet filters,
# flow labels, TCP_ZEROCOPY_RECEIVE).
OPTIONS = {
    "SOL_SOCKET": (socket.SOL_SOCKET, set(range(1, 90)) - {36, 49, 55, 56, 57, 71}),
    "IPPROTO_TCP": (socket.IPPROTO_TCP, set(range(1, 60)) - {11, 24, 26, 35}),
    "IPPROTO_IP": (socket.IPPROTO_IP, set(range(1, 60)) - {41, 48}),
    "IPPROTO_IPV6": (socket.IPPROTO_IPV6, set(range(1, 80)) - {32, 48, *range(64, 70)}),
}


def tcp_info(connection: socket.socket) -> dict[str, int | str]:
    raw = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512)
    length = struct.calcsize(FORMAT)
    return {**dict(zip(NAMES, struct.unpack_from(FORMAT, raw))), "rest of TCP_INFO": raw[length:].hex()}


def told(connection: socket.socket, level: int, number: int) -> str:
    try:
        raw = connection.getsockopt(level, number, 512)
        return str(int.from_bytes(raw, sys.byteorder)) if len(raw) == 4 else raw.hex()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")


def name_of(level: str, number: int) -> str:
    """As Python's socket module calls it, where it does."""
    start = {"SOL_SOCKET": "SO_"}.get(level, level.removeprefix("IPPROTO_") + "_")
    names = sorted(name for name, value in vars(socket).items() if name.startswith(start) and value == number)
    return names[0] if names else f"{level} {number}"


@functools.cache
def known_options(family: int) -> list[tuple[str, int, int]]:
    """Those that a socket of this family has."""
    with socket.socket(family, socket.SOCK_STREAM) as sample:
        return [(name_of(name, number), level, number) for name, (level, numbers) in OPTIONS.items()
                for number in sorted(numbers) if told(sample, level, number) not in ("ENOPROTOOPT", "EOPNOTSUPP")]


def state_of(connection: socket.socket) -> dict[str, typing.Any]:
    """All but what the clock decides. An option that tells nothing is told with the reason."""
    info = {name: value for name, value in tcp_info(connection).items() if name not in CLOCK}
    options = {name: told(connection, level, number) for name, level, number in known_options(connection.family)}
    return {**info, **options, "local name": connection.getsockname(), "peer name": connection.getpeername()}
