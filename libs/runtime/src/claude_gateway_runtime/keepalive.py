"""TCP probes by which a connection notices that the other side, or the network on the way, is gone."""

import socket
from typing import Final

PROBES: Final = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
"""Seconds of silence before the first probe and between probes, and how many may be lost: half a minute in all.

The systems' own first probe comes after two hours. NATs and load balancers forget silent connections after minutes;
probes also keep those open.
"""


def probe(connection: socket.socket) -> None:
    """Have the system probe a connection; it fails with ETIMEDOUT half a minute after the other side is gone.

    Nothing here bounds data that is sent and not acknowledged: that bound would also cut off a server that is slow to
    read a large request (TCP_USER_TIMEOUT, tcp(7)).
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in PROBES:
        # Linux has all three; others call the first one differently.
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
