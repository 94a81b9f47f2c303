"""TCP probes by which a connection notices that the other side, or the network on the way, is gone."""

import socket
import sys
from typing import Final, Protocol

PROBES: Final = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
"""Seconds of silence before the first probe and between probes, and how many may be lost: half a minute in all.

The systems' own first probe comes after two hours. NATs and load balancers forget silent connections after minutes;
probes also keep those open.
"""

_SILENT_MS: Final = 30_000
_SENT_AGAIN: Final = 5
_INFO_BYTES: Final = 60


class Socket(Protocol):
    """The part of a connection's socket that event loops expose."""

    @property
    def family(self) -> int:
        """The address family."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        """Return an option of the system."""


def probe(connection: socket.socket) -> None:
    """Have the system probe a connection; it fails with ETIMEDOUT half a minute after the other side is gone.

    The system sends no probes while data is unacknowledged: ``is_unheard`` returns whether that lasts too long. The
    system's own limit (TCP_USER_TIMEOUT, tcp(7)) would also cut off a server that reads a large request slowly.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in PROBES:
        # Linux has all three; others call the first one differently.
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def is_unheard(connection: Socket) -> bool:
    """Whether data was sent again and again for half a minute, and nothing came back.

    A server that is slow to read answers to each attempt, and its data is not counted as sent again. Without this, the
    system gives up after a quarter of an hour. Only Linux says so.
    """
    if sys.platform != "linux" or connection.family == socket.AF_UNIX:
        return False
    # struct tcp_info of linux/tcp.h: tcpi_retransmits and tcpi_last_ack_recv.
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    return info[2] >= _SENT_AGAIN and int.from_bytes(info[56:60], sys.byteorder) >= _SILENT_MS
