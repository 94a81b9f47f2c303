"""Processes kept ready, for each login its own; none ever serves another login or a second request."""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from claude_gateway_claude_code.session import Session
from claude_gateway_runtime.failure import Failure
from claude_gateway_runtime.logs import emit

Start = Callable[[str], Awaitable[Session]]
"""Starts a session for a login."""

_log: Final = logging.getLogger(__name__)
_OLDEST_SECONDS: Final = 3600
"""How long a process may wait: it knows the date of its start."""
_CHECK_SECONDS: Final = 15
_AFTER_SECONDS: Final = 0.15
"""How long after a session was taken the next one is made ready: a start takes 0.35 CPU-seconds."""
_PAUSE_SECONDS: Final = 5
"""How long nothing is made ready after a process did not start."""


@dataclass(slots=True)
class _Shelf:
    """The ready sessions of one login, the oldest first, each with the time of its start."""

    login: str = field(repr=False)
    used: float
    ready: deque[tuple[float, Session]] = field(default_factory=deque)


class Pool:
    """The ready sessions of the logins that were used last. ``run`` it beside the server, and ``close`` it."""

    def __init__(self, start: Start, *, size: int, logins: int, spawns: int, idle_seconds: float) -> None:
        """Keep ``size`` sessions for each of ``logins`` logins; start at most ``spawns`` at the same time.

        A login that was not used for ``idle_seconds`` loses its sessions.
        """
        self._start = start
        self._size = size
        self._logins = logins
        self._idle_seconds = idle_seconds
        self._shelves: OrderedDict[bytes, _Shelf] = OrderedDict()
        self._starting = asyncio.Semaphore(spawns)
        self._wanted = 0
        self._short = asyncio.Event()
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> int:
        """How many sessions wait."""
        return sum(len(shelf.ready) for shelf in self._shelves.values())

    async def take(self, login: str) -> Session:
        """Return a session of this login, a ready one if there is one. Raises Failure."""
        shelf = self._shelf(login)
        try:
            while shelf.ready:
                _, session = shelf.ready.popleft()
                if session.ready:
                    return session
                self.end(session)
            self._wanted += 1
            try:
                async with self._starting:
                    return await self._start(login)
            finally:
                self._wanted -= 1
        finally:
            self._short.set()

    def end(self, session: Session) -> None:
        """End a session without waiting for it."""
        task = asyncio.create_task(session.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def forget(self, login: str) -> None:
        """End the sessions of a login that Anthropic rejected."""
        self._drop(_digest(login))

    async def run(self) -> None:
        """Make sessions ready, one after another, and end those that are too old or not needed, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_CHECK_SECONDS):
                    await self._short.wait()
                # The request that took a session has the CPU first.
                await asyncio.sleep(_AFTER_SECONDS)
            except TimeoutError:
                self._weed()
            self._short.clear()
            await self._fill()

    async def close(self) -> None:
        """End every session."""
        for digest in list(self._shelves):
            self._drop(digest)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _shelf(self, login: str) -> _Shelf:
        digest = _digest(login)
        shelf = self._shelves.setdefault(digest, _Shelf(login, time.monotonic()))
        shelf.used = time.monotonic()
        self._shelves.move_to_end(digest)
        while len(self._shelves) > self._logins:
            self._drop(next(iter(self._shelves)))
        return shelf

    async def _fill(self) -> None:
        while (short := self._shortest()) is not None:
            digest, shelf = short
            try:
                async with self._starting:
                    session = await self._start(shelf.login)
            except Failure as error:
                emit(_log, "process_not_started", level=logging.ERROR, error=error.message)
                await asyncio.sleep(_PAUSE_SECONDS)
                return
            if self._shelves.get(digest) is shelf:
                shelf.ready.append((time.monotonic(), session))
            else:
                self.end(session)

    def _shortest(self) -> tuple[bytes, _Shelf] | None:
        """Return the login with the fewest ready sessions; None while a request waits for a process to start."""
        if self._wanted or not self._shelves:
            return None
        digest, shelf = min(self._shelves.items(), key=lambda item: len(item[1].ready))
        return (digest, shelf) if len(shelf.ready) < self._size else None

    def _weed(self) -> None:
        now = time.monotonic()
        for digest, shelf in list(self._shelves.items()):
            if now - shelf.used > self._idle_seconds:
                self._drop(digest)
            while shelf.ready and (now - shelf.ready[0][0] > _OLDEST_SECONDS or not shelf.ready[0][1].ready):
                self.end(shelf.ready.popleft()[1])

    def _drop(self, digest: bytes) -> None:
        shelf = self._shelves.pop(digest, None)
        while shelf is not None and shelf.ready:
            self.end(shelf.ready.popleft()[1])


def _digest(login: str) -> bytes:
    return hashlib.sha256(login.encode()).digest()
