"""The connections to Anthropic, through a company's proxy if there is one."""

import ssl
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

_CONNECT_SECONDS: Final = 30
_SILENCE_SECONDS: Final = 600
_CONNECTIONS: Final = 0
"""As many as there are requests, which are bounded elsewhere."""


class Upstream:
    """Anthropic's API. ``close`` it at the end."""

    def __init__(self, url: str, *, proxy: str | None, extra_ca: Path | None) -> None:
        """Reach ``url`` (without ``/v1``), through ``proxy`` if it is HTTPS. Raises OSError for an unusable file."""
        self._url = url.rstrip("/")
        self._proxy = proxy if self._url.startswith("https:") else None
        context = ssl.create_default_context()
        if extra_ca is not None:
            context.load_verify_locations(extra_ca)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=_CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def post(
        self, target: str, *, headers: Iterable[tuple[bytes, bytes]], body: bytes
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send a request as it is; ``target`` is its path and query.

        Raises aiohttp.ClientError, OSError, TimeoutError.
        """
        sent: CIMultiDict[str] = CIMultiDict(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in headers
        )
        sent["Accept-Encoding"] = "identity"
        return self._session.post(
            URL(self._url + target, encoded=True),
            headers=sent,
            data=body,
            proxy=self._proxy,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Content-Type", "Accept"),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
