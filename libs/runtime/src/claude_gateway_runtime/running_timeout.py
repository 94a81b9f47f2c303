"""A timeout for answers over the network that counts only time in which this process runs."""

import asyncio
from types import TracebackType
from typing import Final, Self

_PARTS: Final = 20
"""The parts in which time is counted. An answer is read within a few turns of the event loop, so within a few parts."""


class RunningTimeout:
    """Raises TimeoutError in its block after ``seconds``; use it with ``async with``.

    A process without CPU, or whose event loop is busy with a burst, reads an answer late that came in time. An ordinary
    timeout has then expired as well, and a healthy server seems to be gone. Here each turn of the event loop counts as
    one part of the time at most, however long it took.
    """

    __slots__ = ("_left", "_loop", "_part", "_tick_handle", "_timeout")

    def __init__(self, seconds: float) -> None:
        self._part = seconds / _PARTS
        self._left = _PARTS
        self._timeout = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()
        self._tick_handle: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._tick_handle = self._loop.call_later(self._part, self._tick)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._tick_handle is not None:
            self._tick_handle.cancel()
        await self._timeout.__aexit__(kind, error, traceback)

    def _tick(self) -> None:
        self._left -= 1
        if self._left:
            self._tick_handle = self._loop.call_later(self._part, self._tick)
        else:
            self._timeout.reschedule(self._loop.time())
