"""Pings in the silences of a streamed answer: Claude Code gives up after five minutes without a byte."""

import asyncio

from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_proxy.gateway.wire.sse import Boundary
from claude_gateway_proxy.operations import OPERATIONS
from claude_gateway_runtime.asgi import Send


class Pings:
    """Sends a ping each time that ``beat`` is called and the stream is between two events.

    Sending is a task of its own, because a client that does not read must not block the timer. While there is a
    ``task``, await ``settled`` before anything else is sent, so that a ping is never mixed with other bytes.
    """

    __slots__ = ("_boundary", "_ping", "_record", "_send", "task")

    def __init__(self, send: Send, *, record: Record, boundary: Boundary) -> None:
        self._send = send
        self._record = record
        self._boundary = boundary
        self._ping = OPERATIONS[record.format].events.ping
        self.task: asyncio.Task[None] | None = None

    def beat(self) -> None:
        """Send a ping, unless the last one is still being sent or an event is half sent."""
        if self.task is None and self._boundary.clean:
            self.task = asyncio.get_running_loop().create_task(self._run())

    async def settled(self) -> None:
        """Wait until the current ping was sent."""
        if self.task is not None:
            await asyncio.wait([self.task])

    def stop(self) -> None:
        """Send no more, and cancel the current ping: it was either not written yet or written completely."""
        if self.task is not None:
            self.task.cancel()

    async def _run(self) -> None:
        try:
            await self._send({"type": "http.response.body", "body": self._ping, "more_body": True})
            self._record.bytes_out += len(self._ping)
        finally:
            self.task = None
