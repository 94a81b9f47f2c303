"""Responses: whole, streamed with pings, or a failure."""

from typing import Final

from claude_gateway_claude_code.answer import PING, frame
from claude_gateway_runtime.asgi import JSON, Headers, Send, send_document
from claude_gateway_runtime.envelope import Envelope
from claude_gateway_runtime.failure import Failure

_STREAM: Final = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]


class Response:
    """The response to one request, begun when there is something to say, so that a failure can have its status."""

    def __init__(self, send: Send) -> None:
        self.facts: Headers = []
        self._send = send
        self._streaming = False
        self._over = False

    async def stream(self, data: bytes) -> None:
        """Send the next bytes of a stream."""
        if not self._streaming:
            self._streaming = True
            await self._send({"type": "http.response.start", "status": 200, "headers": [*_STREAM, *self.facts]})
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def ping(self) -> None:
        """Fill a silence in the middle of a stream."""
        if self._streaming:
            await self.stream(PING)

    async def finish(self) -> None:
        """End a stream."""
        self._over = True
        await self._send({"type": "http.response.body", "body": b""})

    async def whole(self, body: bytes) -> None:
        """Send a whole answer."""
        self._over = True
        await send_document(self._send, status=200, kind=JSON, body=body, headers=self.facts)

    async def fail(self, failure: Failure) -> None:
        """Send a failure: with its status, or at the end of the stream that has begun."""
        if self._streaming and not self._over:
            await self.stream(frame(("error", failure.body(Envelope.ANTHROPIC))))
            await self.finish()
        elif not self._over:
            await send_failure(self._send, failure)


async def send_failure(send: Send, failure: Failure) -> None:
    """Send a failure with its status, in Anthropic's envelope."""
    body = failure.body(Envelope.ANTHROPIC)
    await send_document(send, status=failure.status, kind=JSON, body=body, headers=failure.headers())
