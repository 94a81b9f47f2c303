"""The connection to the LiteLLM worker, which may start later than the gateway, and again after it died."""

import asyncio
import socket
import time
from contextlib import suppress
from functools import partial
from typing import Final

from multidict import CIMultiDict
from yarl import URL

from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.gateway.upstream.http.client import Client
from claude_gateway_proxy.gateway.upstream.http.dialer import NotConnected, dial_unix
from claude_gateway_proxy.gateway.upstream.http.request import address_of, head_of
from claude_gateway_proxy.unreachable import Obstacle, Unreachable

WAIT_SECONDS: Final = 5.0
"""How long a request waits for the worker, as long as the worker waits for a target that it does not know yet."""

_PAUSE_SECONDS: Final = 0.1
_STALE_SECONDS: Final = 1.0
"""A pooled connection of a dead worker fails at once; one that breaks later was already serving the request."""


class Worker:
    """Tracks whether the worker listens, and sends requests to it once it does."""

    def __init__(self, path: str) -> None:
        """Connect lazily to the socket at ``path``, which need not exist yet. Needs a running event loop."""
        self._path = path
        self._client = Client()
        self._seen = False
        self._arrival: asyncio.Task[None] | None = None

    async def started(self) -> bool:
        """Whether the worker has listened once in the life of this process; checks the socket until then."""
        self._seen = self._seen or await self._listens()
        return self._seen

    async def send(self, url: URL, *, headers: CIMultiDict[str], body: bytes) -> HttpAnswer:
        """POST to the worker. If the worker is starting or restarting, wait for it at most ``WAIT_SECONDS``.

        Raises Unreachable if it does not start, or if it dies while it works on the request.
        """
        end = time.monotonic() + WAIT_SECONDS
        head = head_of(address_of(url), headers.items(), length=len(body))
        lost = False
        while True:
            began = time.monotonic()
            try:
                return await self._client.post(self._path, head, body, dial=partial(dial_unix, self._path))
            except OSError as error:
                now = time.monotonic()
                if not isinstance(error, NotConnected):
                    # Retry only once: this request may be the one that kills the worker.
                    if lost or now - began > _STALE_SECONDS:
                        raise Unreachable(Obstacle.WORKER, type(error).__name__) from None
                    lost = True
                if now >= end:
                    raise Unreachable(Obstacle.WORKER, type(error).__name__) from None
            await self._wait(end - time.monotonic())

    async def close(self) -> None:
        """Close every connection."""
        if self._arrival is not None:
            self._arrival.cancel()
            with suppress(asyncio.CancelledError):
                await self._arrival
        await self._client.close()

    async def _wait(self, seconds: float) -> None:
        """Wait until the worker listens; all requests share one check, so that a thousand of them cost no more."""
        if self._arrival is None or self._arrival.done():
            self._arrival = asyncio.create_task(self._look_out())
        await asyncio.wait({self._arrival}, timeout=max(0.0, seconds))

    async def _look_out(self) -> None:
        listens = False
        while not listens:
            await asyncio.sleep(_PAUSE_SECONDS)
            listens = await self._listens()

    async def _listens(self) -> bool:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                await asyncio.wait_for(loop.sock_connect(probe, self._path), WAIT_SECONDS)
            except OSError:
                return False
        return True
