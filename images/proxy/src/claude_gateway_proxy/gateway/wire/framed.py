"""The last step before a Bedrock client: Messages events become AWS frames, and counts get AWS's name.

An event that arrived in a frame, and was not changed, is sent in the same frame.
"""

import base64
from collections import deque
from typing import Final

import msgspec

from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.wire.bedrock import ERROR_TYPES
from claude_gateway_proxy.gateway.wire.eventstream import CONTENT_TYPE, encode
from claude_gateway_proxy.gateway.wire.sse import END, END_BYTES
from claude_gateway_proxy.unreachable import AnswerBroken
from claude_gateway_runtime.asgi import Headers, Message, Send

_MEMORY: Final = 4096
"""The most events whose frames are remembered; they are removed as soon as they were sent."""

_EVENT_LIMIT: Final = 24 * 1024 * 1024
"""The most bytes of one event that are buffered while its end is missing: AWS's own limit of a frame."""

_COUNT_LIMIT: Final = 2 * 1024 * 1024
"""The most bytes of an answer with a count of tokens, which is buffered until its end."""

_CHUNK: Final = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
_EXCEPTIONS: Final = {kind: name for name, kind in ERROR_TYPES.items()}
_EVENTS: Final = b"text/event-stream"


class _Error(msgspec.Struct):
    type: str = "api_error"
    message: str = ""


class _ErrorEvent(msgspec.Struct):
    error: _Error = msgspec.field(default_factory=_Error)


class _Count(msgspec.Struct):
    input_tokens: int


_ERROR: Final = msgspec.json.Decoder(_ErrorEvent)
_COUNT: Final = msgspec.json.Decoder(_Count)


class FramedSend:
    """An ASGI ``send`` that converts Messages to the form of a Bedrock client."""

    def __init__(self, send: Send, *, format: Format) -> None:
        self._send = send
        self._counts = format is Format.COUNT_TOKENS
        self._events = False
        self._start: Message | None = None
        self._text = bytearray()
        self._searched = 0
        self._known: deque[tuple[bytes, bytes]] = deque(maxlen=_MEMORY)

    def remember(self, event: bytes, raw: bytes) -> None:
        """Store an event with ``raw``, the frames in which it came; an empty event stands for the end of the stream."""
        self._known.append((event, raw))

    def forget(self) -> None:
        """Drop the stored events: they belong to an attempt that failed before its answer began."""
        self._known.clear()

    async def __call__(self, message: Message) -> None:
        """Send one message. Raises AnswerBroken if too much would have to be buffered."""
        if message["type"] == "http.response.start":
            headers, self._events = _head(message["headers"])
            start = {**message, "headers": headers}
            if self._counts and message["status"] == 200:
                self._start = start  # its length is known with the body
            else:
                await self._send(start)
        elif self._start is not None:
            await self._send_count(self._start, message)
        elif self._events:
            more = message.get("more_body", False)
            body = self._framed(message.get("body", b""), last=not more)
            if body or not more:
                await self._send({**message, "body": body})
        else:
            await self._send(message)

    async def _send_count(self, start: Message, message: Message) -> None:
        self._text += message.get("body", b"")
        if len(self._text) > _COUNT_LIMIT:
            raise AnswerBroken("the count of tokens is too large")
        if message.get("more_body", False):
            return
        self._start = None
        body = _count(bytes(self._text))
        headers = [header for header in start["headers"] if header[0] != b"content-length"]
        await self._send({**start, "headers": [*headers, (b"content-length", b"%d" % len(body))]})
        await self._send({**message, "body": body})

    def _framed(self, chunk: bytes, *, last: bool) -> bytes:
        self._text += chunk
        frames: list[bytes] = []
        at = 0
        for end in END.finditer(self._text, self._searched):
            frames.append(self._frame(bytes(self._text[at : end.end()])))
            at = end.end()
        del self._text[:at]
        self._searched = max(0, len(self._text) - END_BYTES)
        if len(self._text) > _EVENT_LIMIT:
            raise AnswerBroken("the stream has an event without an end")
        if last:
            frames += [raw for event, raw in self._known if not event]
        return b"".join(frames)

    def _frame(self, event: bytes) -> bytes:
        for place, (known, raw) in enumerate(self._known):
            if known == event:
                for _ in range(place + 1):
                    self._known.popleft()
                return raw
        return _encoded(event)


def _head(headers: Headers) -> tuple[Headers, bool]:
    """The headers of an answer, and whether it is a stream of events."""
    kind = next((value for name, value in headers if name == b"content-type"), b"")
    ident = next((value for name, value in headers if name == b"request-id"), None)
    events = kind.startswith(_EVENTS)
    kept = list(headers)
    if events:
        kept = [header for header in kept if header[0] != b"content-type"]
        kept += ((b"content-type", CONTENT_TYPE.encode()), (b"x-amzn-bedrock-content-type", b"application/json"))
    if ident is not None and not any(name == b"x-amzn-requestid" for name, _ in kept):
        kept.append((b"x-amzn-requestid", ident))
    return kept, events


def _count(body: bytes) -> bytes:
    try:
        return b'{"inputTokens":%d}' % _COUNT.decode(body).input_tokens
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body


def _encoded(event: bytes) -> bytes:
    """Return the frame of an event; empty for a comment."""
    name, lines = b"", []
    for line in event.splitlines():
        field, _, value = line.partition(b":")
        if field == b"event":
            name = value.strip()
        elif field == b"data":
            lines.append(value.removeprefix(b" "))
    data = b"\n".join(lines)
    if not data or data == b"[DONE]":
        return b""
    if name == b"error":
        return _exception(data)
    return encode(_CHUNK, b'{"bytes":"%s"}' % base64.b64encode(data))


def _exception(data: bytes) -> bytes:
    try:
        error = _ERROR.decode(data).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error = _Error()
    headers = {
        ":exception-type": _EXCEPTIONS.get(error.type, "internalServerException"),
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return encode(headers, msgspec.json.encode({"message": error.message}))
