"""Free TCP ports of this machine, for programs that cannot choose one themselves."""

import secrets
import socket
from contextlib import suppress
from typing import Final

_RANGE: Final = range(20_000, 32_000)
"""Below the ports that Linux takes for outgoing connections (``ip_local_port_range`` begins at 32,768).

Any connection can take one of those between this check and the program's start, even a connection of the program.
"""
_ATTEMPTS: Final = 100


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on. Raises RuntimeError if it finds none."""
    for _ in range(_ATTEMPTS):
        port = secrets.choice(_RANGE)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"none of {_ATTEMPTS} ports from {_RANGE.start} to {_RANGE.stop - 1} was free")
