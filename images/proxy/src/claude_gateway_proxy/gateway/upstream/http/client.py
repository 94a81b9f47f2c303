"""POST requests over pooled connections, and over new ones if none is free."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Final

from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.gateway.upstream.http.connection import Connection
from claude_gateway_proxy.gateway.upstream.http.dialer import Factory

KEEP_SECONDS: Final = 30.0
"""How long an idle connection is kept; shorter than most servers keep theirs."""

CHECK_SECONDS: Final = 10.0
"""How often connections are checked for a peer that no longer acknowledges data."""

Dial = Callable[[Factory], Awaitable[Connection]]
"""Opens a connection with the protocol that the factory makes."""


class Client:
    """Pools connections by key. They are not limited: a request must not wait for the end of a stream of minutes."""

    def __init__(self) -> None:
        self._free: dict[Hashable, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._checker: asyncio.TimerHandle | None = None
        self._closed = False

    async def post(self, key: Hashable, head: bytes, body: bytes, *, dial: Dial, fresh: bool = False) -> HttpAnswer:
        """Send a request over a connection with this key, or a new one, and return its answer.

        ``fresh``: over a new one in any case. Raises what ``dial`` raises, ConnectionClosed, NotHttp or OSError.
        """
        connection = None if fresh else self._take(key)
        if connection is None:
            connection = await dial(partial(Connection, on_free=partial(self._keep, key), on_lost=self._forget))
            self._open.add(connection)
            if self._closed:
                connection.abort()
            elif self._checker is None:
                self._checker = asyncio.get_running_loop().call_later(CHECK_SECONDS, self._check)
        return await connection.send(head, body)

    async def close(self) -> None:
        """Close every connection, including those of running answers."""
        self._closed = True
        for timer in (self._sweeper, self._checker):
            if timer is not None:
                timer.cancel()
        for connection in tuple(self._open):
            connection.abort()
        self._free.clear()
        # The loop closes a transport in one of its next turns.
        while self._open:  # noqa: ASYNC110
            await asyncio.sleep(0)

    def _take(self, key: Hashable) -> Connection | None:
        """Return the connection with this key that was used last; it is the least likely to be stale."""
        free = self._free.get(key)
        while free:
            connection = free.pop()
            if connection.usable:
                return connection
        return None

    def _keep(self, key: Hashable, connection: Connection) -> None:
        if self._closed:
            connection.abort()
            return
        loop = asyncio.get_running_loop()
        connection.free_since = loop.time()
        self._free.setdefault(key, []).append(connection)
        if self._sweeper is None:
            self._sweeper = loop.call_later(KEEP_SECONDS, self._sweep)

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)

    def _check(self) -> None:
        """End connections whose other side is gone, with one timer for all of them."""
        for connection in tuple(self._open):
            connection.check()
        later = asyncio.get_running_loop().call_later
        self._checker = later(CHECK_SECONDS, self._check) if self._open else None

    def _sweep(self) -> None:
        """Close connections that were idle for too long, with one timer for all of them."""
        loop = asyncio.get_running_loop()
        oldest, next_end = loop.time() - KEEP_SECONDS, float("inf")
        for key, free in list(self._free.items()):
            for connection in free:
                if connection.free_since <= oldest:
                    connection.abort()
            kept = [each for each in free if each.free_since > oldest and each.usable]
            if kept:
                self._free[key] = kept
                next_end = min(next_end, kept[0].free_since + KEEP_SECONDS)
            else:
                del self._free[key]
        self._sweeper = None if not self._free else loop.call_at(next_end, self._sweep)
