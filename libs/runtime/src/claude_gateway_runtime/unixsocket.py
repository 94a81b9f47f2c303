"""Unix sockets, by which the processes of one pod talk to each other."""

import os
import socket
from pathlib import Path
from typing import Final

_BACKLOG: Final = 2048


def bind_unix(path: Path) -> socket.socket:
    """Return a listening Unix socket that only this user may open, in place of one that a dead process left.

    Creates its folder if need be. Raises OSError.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        bound.bind(str(path))
    finally:
        os.umask(mask)
    bound.listen(_BACKLOG)
    return bound
