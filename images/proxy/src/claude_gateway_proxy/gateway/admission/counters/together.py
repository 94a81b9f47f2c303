"""Sends concurrent calls to Valkey together: a burst of requests needs one connection, not one each."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from claude_gateway_proxy.gateway.admission.counters.scripts import Call

AT_ONCE: Final = 128
"""The most calls that are sent together."""

Send = Callable[[Sequence[Call]], Awaitable[Sequence[Any]]]
"""Sends calls in one round trip, and returns an answer or an exception for each; what it raises is for all."""


class Together:
    """Sends a call at once if none is underway, and all that come meanwhile in the next round trip."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: deque[tuple[Call, asyncio.Future[Any]]] = deque()
        self._sender: asyncio.Task[None] | None = None

    def call(self, call: Call) -> "asyncio.Future[Any]":
        """Return the future answer of a call; raises what the sending raised."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, answer))
        if self._sender is None:
            self._sender = asyncio.create_task(self._run())
        return answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
                for (_, future), answer in zip(batch, await self._answers(batch), strict=True):
                    if future.cancelled():
                        continue
                    if isinstance(answer, Exception):
                        future.set_exception(answer)
                    else:
                        future.set_result(answer)
        finally:
            self._sender = None

    async def _answers(self, batch: Sequence[tuple[Call, object]]) -> Sequence[Any]:
        try:
            return await self._send([call for call, _ in batch])
        except Exception as error:  # every call raises it, so that none waits forever
            return [error] * len(batch)
