"""Passes the pieces of an answer from an upstream to the client as they arrive, and reads their usage on the way.

While the client keeps up, a piece is written in the call that delivers it. Waking a task for each piece would cost more
than all work on the piece.
"""

import asyncio
from typing import Final

from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.answer import Answer
from claude_gateway_proxy.gateway.costs.cost import Passed
from claude_gateway_proxy.gateway.deadline import Deadline
from claude_gateway_proxy.gateway.pings import Pings
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_proxy.gateway.wire import usage
from claude_gateway_proxy.gateway.wire.error_events import ErrorEvents
from claude_gateway_proxy.gateway.wire.sse import Boundary
from claude_gateway_proxy.gateway.wire.stream_counts import HiddenCounts
from claude_gateway_runtime.asgi import Outgoing, Send

_OPENING: Final = 10
"""Output tokens that a stream of Messages may report when it begins."""


class Passage:
    """Passes on the rest of one answer whose head was sent."""

    __slots__ = (
        "_answer",
        "_boundary",
        "_counts",
        "_deadline",
        "_ended",
        "_errors",
        "_loop",
        "_meter",
        "_outgoing",
        "_pings",
        "_record",
        "_send",
        "_uncounted",
    )

    def __init__(
        self, answer: Answer, record: Record, *, send: Send, deadline: Deadline, boundary: Boundary, pings: Pings
    ) -> None:
        """Count what passes in ``record``, and track it in ``boundary``; ``deadline`` is paused meanwhile."""
        self._loop = asyncio.get_running_loop()
        self._uncounted: list[bytes] = []
        self._ended = False
        self._answer = answer
        self._record = record
        self._send = send
        self._outgoing = send if isinstance(send, Outgoing) else None
        self._deadline = deadline
        self._boundary = boundary
        self._pings = pings
        self._meter = usage.Meter(
            record, events=answer.events, searches=answer.events and record.format is Format.RESPONSES
        )
        self._errors = ErrorEvents(answer.mask)
        self._counts = HiddenCounts() if answer.hides_counts else None

    @property
    def failed(self) -> bool:
        """Whether the upstream reported an error within its stream."""
        return self._meter.failed

    @property
    def passed(self) -> Passed:
        """What has passed so far."""
        return Passed(
            sample=self._meter.sample,
            size=self._record.bytes_out,
            ended=self._ended and not self.failed and not self._lacks_end,
            streamed=self._answer.events,
        )

    @property
    def _lacks_end(self) -> bool:
        """Whether a stream of Messages has only the count that it began with."""
        record = self._record
        begun = self._answer.events and record.format is Format.MESSAGES
        return begun and self._meter.reports == 1 and record.output_tokens <= _OPENING

    async def run(self) -> None:
        """Pass on everything, including the end. Raises OSError if the answer breaks off."""
        try:
            await self._run()
        finally:
            # The upstream's output costs money, whether or not the client still reads it.
            self._count()

    async def _run(self) -> None:
        answer = self._answer
        chunk = answer.head or await answer.read()
        while chunk:
            self._deadline.pause()
            shown = self._shown(chunk)
            self._uncounted.append(chunk)
            await self._pings.settled()
            if shown:
                await self._send({"type": "http.response.body", "body": shown, "more_body": True})
                self._sent(shown)
            self._deadline.resume()
            # What is sent leaves when this turn of the loop ends, and nobody waits for the counts.
            self._loop.call_soon(self._count)
            if answer.pipe is not None and self._outgoing is not None:
                await answer.pipe(self._pass)
            chunk = await answer.read()
        self._ended = True
        self._deadline.pause()  # no more pings
        await self._pings.settled()
        rest = self._rest()
        self._record.bytes_out += len(rest)
        await self._send({"type": "http.response.body", "body": rest, "more_body": False})

    def _pass(self, chunk: bytes) -> bytes | None:
        """Pass a piece on at once; return it if the client or a ping must be awaited."""
        outgoing = self._outgoing
        if outgoing is None or self._pings.task is not None or not outgoing.writable():
            return chunk
        shown = self._shown(chunk)
        if shown:
            outgoing.write(shown)
            self._sent(shown)
        self._uncounted.append(chunk)
        self._count()
        self._deadline.resume()
        return None

    def _shown(self, chunk: bytes) -> bytes:
        """Return the part of a piece that the client may see."""
        if self._answer.plain:
            self._meter.look(chunk)
            if self._counts is not None:
                chunk = self._counts.feed(chunk)
            if self._answer.mask:
                return self._errors.feed(chunk, failed=self._meter.failed)
        return chunk

    def _rest(self) -> bytes:
        """Return what the client may see of what was held back."""
        held = b"" if self._counts is None else self._counts.rest()
        return self._errors.feed(held, failed=self._meter.failed) + self._errors.rest()

    def _count(self) -> None:
        """Read what passed for its usage."""
        uncounted, self._uncounted = self._uncounted, []
        if self._answer.plain:
            for chunk in uncounted:
                self._meter.count(chunk)

    def _sent(self, chunk: bytes) -> None:
        self._record.bytes_out += len(chunk)
        self._boundary.feed(chunk)
