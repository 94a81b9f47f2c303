"""A store that the pods of a release share: answers in Valkey, which expires them by itself.

While Valkey cannot be reached, nothing is cached and every request is sent: a cache must not block requests.
"""

import logging
import time
from typing import Final

import msgspec
from valkey.asyncio import Valkey
from valkey.exceptions import ValkeyError

from claude_gateway_proxy.gateway.admission.counters.server import SECONDS
from claude_gateway_proxy.gateway.caching.store import Kept
from claude_gateway_runtime.logs import emit
from claude_gateway_runtime.running_timeout import RunningTimeout

_PAUSE_SECONDS: Final = 5.0
"""How long Valkey is not used after it did not answer, so that no request waits for it in the meantime."""

_log: Final = logging.getLogger(__name__)


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    """An answer as it is stored."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    at: float


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Stored).decode


class ValkeyStore:
    """Stores answers under ``prefix``, which no other release may use."""

    def __init__(self, client: Valkey, *, prefix: str) -> None:
        """Use ``client``, and close it at the end."""
        self._client = client
        self._prefix = prefix.encode()
        self._away_until: float | None = None

    async def get(self, key: bytes) -> Kept | None:
        """Return the answer under a key; None also if Valkey has something else there, or cannot be reached."""
        if self._away:
            return None
        try:
            async with RunningTimeout(SECONDS):
                value = await self._client.get(self._name(key))
            self._answered()
            found = None if value is None else _decode(value)
        except msgspec.MsgspecError:
            return None
        except (ValkeyError, OSError) as error:
            self._failed(error)
            return None
        return None if found is None else Kept(found.status, found.headers, found.body, found.at)

    async def put(self, key: bytes, answer: Kept, *, ttl: float) -> None:
        """Store an answer, if Valkey accepts it."""
        if self._away:
            return
        value = _encode(_Stored(answer.status, tuple(answer.headers), answer.body, answer.at))
        try:
            async with RunningTimeout(SECONDS):
                await self._client.set(self._name(key), value, px=max(1, round(ttl * 1000)))
            self._answered()
        except (ValkeyError, OSError) as error:
            self._failed(error)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @property
    def _away(self) -> bool:
        return self._away_until is not None and time.monotonic() < self._away_until

    def _name(self, key: bytes) -> bytes:
        return b"%b:answer:%b" % (self._prefix, key.hex().encode())

    def _answered(self) -> None:
        if self._away_until is not None:
            self._away_until = None
            emit(_log, "cache_available")

    def _failed(self, error: Exception) -> None:
        if self._away_until is None:
            # The text of an error may quote what was stored.
            emit(_log, "cache_unavailable", level=logging.WARNING, error=type(error).__name__)
        self._away_until = time.monotonic() + _PAUSE_SECONDS
