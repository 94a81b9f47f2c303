"""The secret that a proxy in front of the gateway presents, in a file that may change while the gateway runs."""

import logging
import time
from collections.abc import Callable
from hmac import compare_digest
from pathlib import Path
from typing import Final

from claude_gateway_runtime.logs import emit

SHORTEST: Final = 16
"""Characters of a secret below which it can be guessed."""

_LARGEST: Final = 4096
_MOST: Final = 4
_CHECK_SECONDS: Final = 2.0

_log: Final = logging.getLogger(__name__)


class ProxySecret:
    """The secrets in a file, one a line, so that a new one can be accepted before the old one ends."""

    def __init__(self, file: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the file. Raises OSError if it cannot be used. ``clock`` returns monotonic seconds."""
        self._file = file
        self._clock = clock
        self._checked = clock()
        self._secrets = self._read()

    def matches(self, shown: bytes) -> bool:
        """Return whether a text is one of the secrets; the file is read again at most every two seconds."""
        if self._clock() - self._checked >= _CHECK_SECONDS:
            self._checked = self._clock()
            self._renew()
        # Every secret is compared, so that the time does not reveal which one is close.
        return sum(compare_digest(shown, secret) for secret in self._secrets) > 0

    def _renew(self) -> None:
        try:
            self._secrets = self._read()
        except OSError as error:
            emit(_log, "proxy_secret_refused", level=logging.ERROR, error=str(error), kept="the one before")

    def _read(self) -> tuple[bytes, ...]:
        with self._file.open("rb") as file:
            lines = file.read(_LARGEST + 1).split(b"\n")
        secrets = tuple(line.strip() for line in lines if line.strip())
        if not secrets or len(secrets) > _MOST or any(len(secret) < SHORTEST for secret in secrets):
            raise OSError(
                f"the secret of proxies in {self._file} cannot be used: write 1 to {_MOST} lines with a secret of at "
                f"least {SHORTEST} characters each"
            )
        return secrets
