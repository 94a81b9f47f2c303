"""Access tokens that outlive a restart of the gateway's container: files in memory that the pod's processes share.

Anthropic accepts each token of a ServiceAccount once, and Kubernetes writes a new one only after most of its life. So a
gateway that restarts could not exchange the token again for a while; it continues with the earlier access token.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

_LIMIT: Final = 64 * 1024


class KeptToken(msgspec.Struct, frozen=True, rename="camel"):
    """An access token. ``life`` are its seconds from its beginning; ``end`` is its end on the machine's clock.

    That clock, ``time.monotonic``, counts from the start of the machine for all processes, and cannot be set.
    ``spent`` is the hash of the ServiceAccount token that it was exchanged for.
    """

    token: str
    life: float
    end: float
    spent: str

    def __repr__(self) -> str:
        return f"KeptToken(life={self.life}, end={self.end})"


class KeptTokens:
    """A folder of access tokens, one file each, readable by this user only; None: nothing is stored."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def load(self, name: str) -> KeptToken | None:
        """Return a token. Blocks."""
        if self._folder is None:
            return None
        try:
            with (self._folder / name).open("rb") as file:
                return msgspec.json.decode(file.read(_LIMIT), type=KeptToken)
        except (OSError, msgspec.DecodeError):
            return None

    def save(self, name: str, kept: KeptToken) -> None:
        """Store a token in place of an older one. Blocks. Raises OSError."""
        if self._folder is None:
            return
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path, new = self._folder / name, self._folder / f".{name}"
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.encode(kept))
        new.replace(path)
