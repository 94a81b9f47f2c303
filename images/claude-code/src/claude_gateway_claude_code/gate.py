"""How many requests are answered at the same time, and how many may wait for their turn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from claude_gateway_claude_code import failures


class Gate:
    """Room for ``concurrency`` requests, and a queue for ``queue`` more, first come first served."""

    def __init__(self, *, concurrency: int, queue: int, seconds: float) -> None:
        """A request waits at most ``seconds``."""
        self._room = asyncio.Semaphore(concurrency)
        self._most = concurrency + queue
        self._seconds = seconds
        self.inside = 0
        self.running = 0

    @property
    def waiting(self) -> int:
        """How many requests are here and not running."""
        return self.inside - self.running

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """Hold a place in the queue, or a running one. Raises Failure (529) if there is none."""
        if self.inside >= self._most:
            raise failures.full()
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the turn of a request that has entered. Raises Failure (529) if it does not come in time."""
        try:
            async with asyncio.timeout(self._seconds):
                await self._room.acquire()
        except TimeoutError:
            raise failures.full() from None
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._room.release()
