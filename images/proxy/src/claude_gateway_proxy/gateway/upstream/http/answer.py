"""An answer of an upstream: its head at once, its body piece by piece, with back-pressure."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from claude_gateway_proxy.unreachable import AnswerBroken
from claude_gateway_runtime.asgi import Headers

Pipe = Callable[["Sink"], Awaitable[None]]
"""Passes each piece to a sink at once, until the sink returns a rest or the answer ends."""

Sink = Callable[[bytes], bytes | None]
"""Receives a piece of an answer. Returns None, or the rest for the reader (often the whole piece, or nothing), and then
receives no more."""

_BUFFER: Final = 256 * 1024
"""The most bytes of a body that are buffered for a reader that is slower than the upstream."""


def value_of(headers: Headers, name: bytes) -> str:
    """Return the value of a header, whose name is in lower case; empty if it is absent."""
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return ""


class HttpAnswer:
    """The head of an answer, and its body as it arrives. Header names are in lower case.

    ``content_length`` is None where the upstream did not declare it.
    """

    __slots__ = (
        "_abort",
        "_ended",
        "_error",
        "_parts",
        "_paused",
        "_set_reading",
        "_sink",
        "_size",
        "_waiter",
        "content_length",
        "headers",
        "status",
    )

    def __init__(
        self,
        status: int,
        headers: Headers,
        *,
        content_length: int | None,
        set_reading: Callable[[bool], None],
        abort: Callable[[], None],
    ) -> None:
        """``set_reading`` pauses or resumes the connection; ``abort`` closes it."""
        self.status = status
        self.headers = headers
        self.content_length = content_length
        self._set_reading = set_reading
        self._abort = abort
        self._parts: list[bytes] = []
        self._size = 0
        self._paused = False
        self._ended = False
        self._error: AnswerBroken | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._sink: Sink | None = None

    def header(self, name: bytes) -> str:
        """Return the value of a header, whose name is in lower case; empty if it is absent."""
        return value_of(self.headers, name)

    @property
    def complete(self) -> bool:
        """Whether all of it was read."""
        return self._ended and not self._parts

    async def read(self) -> bytes:
        """Wait for and return the bytes since the last call; empty at the end. Raises AnswerBroken."""
        if not self._parts and not self._ended:
            await self._wait()
        parts = self._parts
        if not parts:
            if self._error is not None:
                raise self._error
            return b""
        self._emptied()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def pipe(self, sink: Sink) -> None:
        """Pass each piece to ``sink`` at once, without waking a task, until it stops that or the answer ends.

        The rest that the sink returns, and the end, are left for ``read``. Raises what the sink raises.
        """
        if self._parts or self._ended:
            return
        self._sink = sink
        try:
            await self._wait()
        finally:
            self._sink = None

    def close(self) -> None:
        """Cut off an answer that was not read to its end: its connection is closed."""
        if not self._ended:
            self._ended = True
            self._abort()

    def feed(self, data: bytes) -> None:
        """Receive a part of the body; a sink gets it at once."""
        sink, waiter = self._sink, self._waiter
        if sink is not None and waiter is not None and not waiter.done():
            try:
                left = sink(data)
            except Exception as error:
                waiter.set_exception(error)
                left = data
            if left is None:
                return
            self._sink, data = None, left
        if data:
            self._keep(data)
        self._wake()

    def end(self, rest: bytes = b"", *, error: AnswerBroken | None = None) -> None:
        """Receive the ``rest`` of the body, and its end, from the connection."""
        if rest:
            self._keep(rest)
        self._ended, self._error = True, error
        self._paused = False  # the connection may serve another answer by the time that this one is read
        self._wake()

    def _keep(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size > _BUFFER and not self._paused:
            self._paused = True
            self._set_reading(False)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _emptied(self) -> None:
        self._parts, self._size = [], 0
        if self._paused:
            self._paused = False
            self._set_reading(True)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
