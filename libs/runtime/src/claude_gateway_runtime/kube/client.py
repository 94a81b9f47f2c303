"""The client: list, get, apply, create, delete and watch, by path."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode

import aiohttp

from claude_gateway.names import FIELD_MANAGER
from claude_gateway_runtime.kube.access import Access
from claude_gateway_runtime.kube.errors import NotFound, refusal, unreachable
from claude_gateway_runtime.kube.objects import Manifest, decode, page
from claude_gateway_runtime.kube.sockets import Sockets
from claude_gateway_runtime.kube.watch import Event, events

PAGE: Final = 500
"""Objects of one LIST request: bounds what both sides hold at once."""
REQUEST_SECONDS: Final = 20.0
"""A busy API server queues a request for at most 15 seconds: a quarter of ``--request-timeout``, by default a minute.

A slower response means a dead connection, and waiting for it delays an edit.
"""
WATCH_SECONDS: Final = 290
WATCH_SILENCE_SECONDS: Final = 75.0
"""How long a watch may send nothing: API servers send a bookmark about once a minute."""
_BUFFER_BYTES: Final = 4 << 20
"""A watch sends one object a line: 1 MiB at most as stored, more as base64 in JSON."""
_JSON: Final = "application/json"
_DOCUMENT: Final = "application/json,application/jwk-set+json"
_APPLY: Final = "application/apply-patch+yaml"
_METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


class Kube:
    """A client of one API server; an asynchronous context manager. Every method raises KubeError.

    Objects are plain values and requests go by path: typed clients cost memory and do not know our kinds.
    """

    def __init__(
        self,
        access: Access,
        *,
        manager: str = FIELD_MANAGER,
        connect_seconds: float = 10.0,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        """Connect only on a request; ``manager`` is the field manager of applies."""
        self._access = access
        self._manager = manager
        self._connect_seconds = connect_seconds
        self._request_seconds = request_seconds
        self._sockets = Sockets()
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        """Read the authority. Raises OSError."""
        self._session = aiohttp.ClientSession(
            # Callers limit their own requests, and each watch uses a connection for minutes.
            connector=aiohttp.TCPConnector(ssl=self._access.trust(), limit=0, socket_factory=self._sockets.make),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._manager},
            read_bufsize=_BUFFER_BYTES,
            # A proxy for outside addresses does not reach the API server.
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
        self._sockets.shut_down()

    async def list(self, collection: str, *, label: str | None = None, metadata_only: bool = False) -> list[Manifest]:
        """Return all objects of a collection; ``managedFields`` have the writers, without their fields."""
        accept = _METADATA_LIST if metadata_only else _JSON
        query = {"limit": str(PAGE)} | ({"labelSelector": label} if label else {})
        found: list[Manifest] = []
        while True:
            body = await self._request("GET", f"{collection}?{urlencode(query)}", accept=accept)
            items, more = await asyncio.to_thread(page, body)
            found += items
            if not more:
                return found
            query["continue"] = more

    async def get(self, url: str, *, metadata_only: bool = False) -> Manifest | None:
        """Return one object, or None if it does not exist."""
        try:
            return decode(await self._request("GET", url, accept=_METADATA if metadata_only else _JSON))
        except NotFound:
            return None

    async def document(self, url: str) -> Manifest:
        """Return a JSON document of the API server that is not an object of its API, such as its public keys."""
        return decode(await self._request("GET", url, accept=_DOCUMENT))

    async def apply(self, url: str, body: Mapping[str, Any], *, manager: str | None = None) -> Manifest:
        """Apply our fields of an object by force, creating it if needed; return the object as it is now.

        ``manager`` is the field manager, if it is not the client's.
        """
        query = urlencode({"fieldManager": manager or self._manager, "force": "true"})
        return decode(await self._request("PATCH", f"{url}?{query}", body=body, content=_APPLY))

    async def create(self, collection: str, body: Mapping[str, Any]) -> None:
        """Create an object."""
        await self._request("POST", collection, body=body)

    async def delete(self, url: str) -> None:
        """Delete an object if it exists."""
        try:
            await self._request("DELETE", url)
        except NotFound:
            return

    @asynccontextmanager
    async def watch(
        self,
        collection: str,
        query: Mapping[str, str],
        *,
        metadata_only: bool = False,
        since: str | None = None,
        seconds: int = WATCH_SECONDS,
        silence_seconds: float = WATCH_SILENCE_SECONDS,
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Watch a collection for at most ``seconds``, with bookmarks.

        If ``since`` is None, the watch begins with one event for each existing object. A watch that sends nothing for
        ``silence_seconds`` is dead. Raises Expired if ``since`` is too old.
        """
        parameters = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds), **query}
        if since is not None:
            parameters["resourceVersion"] = since
        timeout = aiohttp.ClientTimeout(sock_connect=self._connect_seconds, sock_read=silence_seconds)
        response = await self._send(
            "GET",
            f"{collection}?{urlencode(parameters)}",
            accept=_METADATA if metadata_only else _JSON,
            timeout=timeout,
        )
        try:
            yield events(response.content, f"watch of {collection}")
        finally:
            response.close()

    async def _request(
        self,
        method: str,
        url: str,
        *,
        accept: str = _JSON,
        body: Mapping[str, Any] | None = None,
        content: str = _JSON,
    ) -> bytes:
        timeout = aiohttp.ClientTimeout(total=self._request_seconds, sock_connect=self._connect_seconds)
        response = await self._send(method, url, accept=accept, timeout=timeout, body=body, content=content)
        try:
            return await response.read()
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            raise unreachable(_what(method, url), error) from None

    async def _send(
        self,
        method: str,
        url: str,
        *,
        accept: str,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
        body: Mapping[str, Any] | None = None,
        content: str = _JSON,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": accept}
        data = None
        if body is not None:
            headers["Content-Type"] = content
            data = json.dumps(body).encode()
        try:
            if (authorization := await self._access.authorization()) is not None:
                headers["Authorization"] = authorization
            response = await self._session.request(
                method, self._access.url + url, headers=headers, data=data, timeout=timeout, allow_redirects=False
            )
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            raise unreachable(_what(method, url), error) from None
        if not 200 <= response.status < 300:
            async with response:
                raise await refusal(response, _what(method, url))
        return response


def _what(method: str, url: str) -> str:
    return f"{method} {url.partition('?')[0]}"
