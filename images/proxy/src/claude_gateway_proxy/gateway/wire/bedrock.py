"""Converts Bedrock's answers to Messages: frames become server-sent events, and counts get Anthropic's field name."""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec

from claude_gateway_proxy.gateway.wire.eventstream import CONTENT_TYPE, Frame, FrameError, Frames
from claude_gateway_proxy.unreachable import AnswerBroken
from claude_gateway_runtime.asgi import Headers

Read = Callable[[], Awaitable[bytes]]

ERROR_TYPES: Final = {
    "throttlingException": "rate_limit_error",
    "serviceUnavailableException": "overloaded_error",
    "modelTimeoutException": "timeout_error",
    "validationException": "invalid_request_error",
    "modelStreamErrorException": "api_error",
    "internalServerException": "api_error",
}
"""Anthropic's ``error.type`` for the exceptions that Bedrock may end a stream with."""


_STREAM: Final = CONTENT_TYPE.encode()
_OF_FRAMES: Final = frozenset({b"content-type", b"x-amzn-bedrock-content-type", b"content-length"})

_PENDING_LIMIT: Final = 1024 * 1024
"""The most bytes of frames without an event that are stored with the next event."""


class Memory(Protocol):
    """Remembers which frame an event came in."""

    def remember(self, event: bytes, raw: bytes) -> None:
        """``raw`` are the bytes in which ``event`` came; an empty event stands for the end of the stream."""


class _Chunk(msgspec.Struct):
    data: bytes = msgspec.field(default=b"", name="bytes")


class _Event(msgspec.Struct):
    type: str = "message"


class _Exception(msgspec.Struct):
    message: str = ""


class _Count(msgspec.Struct):
    inputTokens: int  # noqa: N815 - AWS's name


_CHUNK: Final = msgspec.json.Decoder(_Chunk)
_EVENT: Final = msgspec.json.Decoder(_Event)
_EXCEPTION: Final = msgspec.json.Decoder(_Exception)
_COUNT: Final = msgspec.json.Decoder(_Count)


def events(read: Read, memory: Memory | None) -> Read:
    """Read frames as server-sent events; the bytes of each are stored in ``memory``.

    The result raises AnswerBroken if the stream does not consist of frames or ends within one.
    """
    frames = Frames()
    pending = bytearray()

    async def read_events() -> bytes:
        while chunk := await read():
            parts = []
            for frame in _fed(frames, chunk):
                event = _event(frame)
                if memory is not None:
                    pending.extend(frame.raw)
                if event:
                    parts.append(event)
                    if memory is not None:
                        memory.remember(event, bytes(pending))
                    pending.clear()
                elif len(pending) > _PENDING_LIMIT:
                    raise AnswerBroken("the stream has too many frames without an event")
            if parts:
                return b"".join(parts)
        if not frames.complete:
            raise AnswerBroken("the stream ended within a frame")
        if memory is not None and pending:
            memory.remember(b"", bytes(pending))
        return b""

    return read_events


def is_stream(headers: Headers) -> bool:
    """Whether an answer is in frames."""
    return any(name.lower() == b"content-type" and value.startswith(_STREAM) for name, value in headers)


def stream_headers(headers: Headers) -> Headers:
    """The headers of an answer in frames, as those of server-sent events."""
    kept = [(name, value) for name, value in headers if name.lower() not in _OF_FRAMES]
    return [*kept, (b"content-type", b"text/event-stream; charset=utf-8")]


def count(document: bytes) -> bytes:
    """Return Bedrock's count of tokens in Anthropic's form; anything else unchanged."""
    try:
        return b'{"input_tokens":%d}' % _COUNT.decode(document).inputTokens
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return document


def _fed(frames: Frames, chunk: bytes) -> list[Frame]:
    try:
        return frames.feed(chunk)
    except FrameError as error:
        raise AnswerBroken(str(error)) from None


def _event(frame: Frame) -> bytes:
    """Return the event of a frame; empty for a frame without meaning for a client of Messages."""
    kind = frame.headers.get(":message-type", "event")
    if kind == "exception":
        name = frame.headers.get(":exception-type", "")
        return _error(ERROR_TYPES.get(name, "api_error"), _message(frame.payload) or name)
    if kind == "error":
        return _error("api_error", frame.headers.get(":error-message") or frame.headers.get(":error-code", ""))
    try:
        data = _CHUNK.decode(frame.payload).data
        name = _EVENT.decode(data).type
        if b"\n" in data or b"\r" in data:
            data = msgspec.json.format(data, indent=-1)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b""
    return b"event: %s\ndata: %s\n\n" % (" ".join(name.split()).encode("utf-8", "replace"), data)


def _error(kind: str, message: str) -> bytes:
    error = {"type": "error", "error": {"type": kind, "message": message or "the stream was ended by an error"}}
    return b"event: error\ndata: %s\n\n" % msgspec.json.encode(error)


def _message(payload: bytes) -> str:
    try:
        return _EXCEPTION.decode(payload).message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
