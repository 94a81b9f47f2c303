"""TCP sockets that detect a dead network, and that are all shut down when their client is closed."""

import socket
from contextlib import suppress
from weakref import WeakSet

from aiohttp import AddrInfoType

from claude_gateway_runtime import keepalive


class Sockets:
    """Creates the sockets of one client.

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
        # A lost network is noticed after half a minute, not when the watch should have ended.
        keepalive.probe(made)
        self._made.add(made)
        return made

    def shut_down(self) -> None:
        """Shut down every socket that still exists."""
        for each in list(self._made):
            # Most are closed already.
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
