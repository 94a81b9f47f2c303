"""The key sets of issuers, fetched when a token first needs them, cached and renewed; one cache per process.

A set is renewed in the background after ``FRESH_SECONDS``. It is used for ``KEPT_SECONDS`` after it was fetched, so
that an outage of an identity provider does not lock users out. A token whose key is not in the set causes a new fetch,
so that a rotated key works at once; tokens with made-up keys cannot cause frequent fetches.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from claude_gateway.contract.issuers import DISCOVERY
from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.auth import key_sets
from claude_gateway_proxy.gateway.auth.jws import VerificationKey
from claude_gateway_proxy.gateway.auth.key_sets import KeySet
from claude_gateway_proxy.gateway.errors import issuer_unavailable
from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger(__name__)

FRESH_SECONDS: Final = 300.0
KEPT_SECONDS: Final = 24 * 3600.0
ASK_SECONDS: Final = 5.0
"""Time between two fetches for keys that are not known, once ``_BURST`` of them were made; also after a failed one."""

_BURST: Final = 4
_FETCH_SECONDS: Final = 10.0

Fetch = Callable[[str, Egress], Awaitable[bytes]]
"""Fetches a document by GET, without following redirects. Raises OSError or ValueError."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the keys of an issuer are: at ``url``, or where the issuer's discovery document says."""

    issuer: str
    url: str | None = None


class _Discovery(msgspec.Struct):
    """The fields of a discovery document that are used. Source: OpenID Connect Discovery 1.0, 3."""

    issuer: str
    jwks_uri: str


@dataclass(slots=True)
class _Kept:
    """What is known of one source; ``tries`` is how many fetches for unknown keys may be made now."""

    keys: KeySet | None = None
    fetched: float = 0.0
    failed: float | None = None
    tries: float = _BURST
    counted: float = 0.0
    fetching: "asyncio.Task[None] | None" = field(default=None, repr=False)


class Issuers:
    """The key sets of all issuers."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` returns monotonic seconds."""
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[Source, _Kept] = {}

    async def keys(self, source: Source, key_id: str | None, *, egress: Egress) -> Sequence[VerificationKey]:
        """Return the keys of a source with an id. Raises Failure (503) while nothing is known of the source."""
        kept = self._kept.setdefault(source, _Kept(counted=self._clock()))
        age = self._clock() - kept.fetched
        if kept.keys is None or age > KEPT_SECONDS:
            await self._renewed(source, kept, egress=egress)
        elif age > FRESH_SECONDS and not self._failed_lately(kept):
            self._renewal(source, kept, egress=egress)
        found = self._of(kept, key_id)
        if not found and (kept.fetching is not None or self._may_ask(kept)):
            await self._joined(self._renewal(source, kept, egress=egress))
            found = self._of(kept, key_id)
        return found

    def outdated(self, source: Source) -> bool:
        """Return whether the last fetch failed: the source may have keys that are not known yet."""
        kept = self._kept.get(source)
        return kept is not None and kept.failed is not None

    def keep_only(self, sources: Collection[Source]) -> None:
        """Forget every other source: no client accepts its tokens any more."""
        for source in self._kept.keys() - set(sources):
            kept = self._kept.pop(source)
            if kept.fetching is not None:
                kept.fetching.cancel()

    @staticmethod
    def _of(kept: _Kept, key_id: str | None) -> Sequence[VerificationKey]:
        return kept.keys.of(key_id) if kept.keys is not None else ()

    async def _renewed(self, source: Source, kept: _Kept, *, egress: Egress) -> None:
        if kept.fetching is not None or not self._failed_lately(kept):
            await self._joined(self._renewal(source, kept, egress=egress))
        if kept.keys is None or self._clock() - kept.fetched > KEPT_SECONDS:
            raise issuer_unavailable(source.issuer)

    def _failed_lately(self, kept: _Kept) -> bool:
        return kept.failed is not None and self._clock() - kept.failed < ASK_SECONDS

    def _may_ask(self, kept: _Kept) -> bool:
        """Take one of the fetches for unknown keys; they come back one by one."""
        now = self._clock()
        kept.tries = min(float(_BURST), kept.tries + (now - kept.counted) / ASK_SECONDS)
        kept.counted = now
        if kept.tries < 1 or self._failed_lately(kept):
            return False
        kept.tries -= 1
        return True

    def _renewal(self, source: Source, kept: _Kept, *, egress: Egress) -> "asyncio.Task[None]":
        """Return the running fetch, or start one."""
        if kept.fetching is None:
            kept.fetching = asyncio.create_task(self._renew(source, kept, egress))
        return kept.fetching

    @staticmethod
    async def _joined(task: "asyncio.Task[None]") -> None:
        # A request that is cancelled must not end the fetch that others wait for.
        await asyncio.wait([task])

    async def _renew(self, source: Source, kept: _Kept, egress: Egress) -> None:
        url = source.url or f"{source.issuer.rstrip('/')}{DISCOVERY}"
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                if source.url is None:
                    url = await self._discovered(source.issuer, url, egress)
                document = await self._fetch(url, egress)
            # RSA keys of a set take some milliseconds to read.
            found = await asyncio.to_thread(key_sets.read, document)
        except (OSError, ValueError) as error:
            kept.failed = self._clock()
            why = str(error) or f"there was no answer within {_FETCH_SECONDS:g} s"
            emit(_log, "issuer_keys_unavailable", level=logging.WARNING, issuer=source.issuer, url=url, error=why)
        else:
            kept.keys, kept.fetched, kept.failed = found, self._clock(), None
        finally:
            kept.fetching = None

    async def _discovered(self, issuer: str, url: str, egress: Egress) -> str:
        """Return where an issuer's keys are, by its document. Raises ValueError if that is of another issuer."""
        document = await self._fetch(url, egress)
        try:
            found = msgspec.json.decode(document, type=_Discovery)
        except (msgspec.DecodeError, RecursionError):
            raise ValueError("the discovery document cannot be read") from None
        if found.issuer != issuer:
            raise ValueError("the discovery document is of another issuer")
        return found.jwks_uri
