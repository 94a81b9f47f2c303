"""TCP sockets that notice a dead network, and that are all down when their client is closed."""

import socket
from contextlib import suppress
from typing import Final
from weakref import WeakSet

from aiohttp import AddrInfoType

_KEEPALIVE: Final = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
"""A lost network is noticed after half a minute, not when the watch should have ended."""


class Sockets:
    """Makes the sockets of one client.

    A session that closes during a request leaves the connection to TLS, which waits half a minute for the other side's
    goodbye. On a dead network that never comes, and each new attempt would leave one more connection behind.
    """

    def __init__(self) -> None:
        """Start without sockets."""
        self._made: WeakSet[socket.socket] = WeakSet()

    def make(self, address: AddrInfoType) -> socket.socket:
        """Return a socket for an address; aiohttp connects it."""
        family, kind, protocol, _, _ = address
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            # Linux has all three; others call the first one differently.
            if hasattr(socket, option):
                made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        self._made.add(made)
        return made

    def shut_down(self) -> None:
        """Shut down every socket that still exists."""
        for each in list(self._made):
            # Most are closed already.
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
