"""The limits of an upstream's answer in this process, counted after decompression.

LiteLLM and OpenAI's SDK read whole answers, whole events and whole errors into memory, several times over. Whoever
writes a route chooses the upstream, so each is limited below them, where httpx returns an answer's bytes.
"""

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import httpx
from httpx import _client, _decoders

from claude_gateway_proxy.bounds import ERROR_MOST, STREAM_MOST, WHOLE_MOST
from claude_gateway_proxy.litellm import ollama
from claude_gateway_proxy.litellm.regular import Stream as RegularStream
from claude_gateway_proxy.litellm.regular import is_regular, whole

EVENT_MOST: Final = 8 * 1024 * 1024
"""Bytes of one event of a stream: a generated image in base64 fits."""

EVENT_LINES_MOST: Final = 1_000
"""Lines of one event. OpenAI's SDK copies what it has of an event for every line."""

EVENTS_MOST: Final = 256 * 1024
"""Events of a stream: twice what the longest answers of today's models take, at one event per token.

When LiteLLM builds Responses from Chat, it keeps every chunk for the last event: 1.3 KB for each, as measured with
60,000 events of one character. Otherwise it keeps only the last ones.
"""

_CODINGS: Final = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_ACCEPTED: Final = "gzip, deflate"


class AnswerRefused(Exception):  # noqa: N818 - a verdict on an answer
    """An upstream's answer is too large, or has a compression that was not requested."""


def install() -> None:
    """Limit the answers of every httpx client of this process from now on; cannot be undone."""
    _client.ACCEPT_ENCODING = _ACCEPTED
    response: Any = httpx.Response
    bytes_of, async_bytes_of = response.iter_bytes, response.aiter_bytes

    def read(self: Any) -> bytes:
        if not hasattr(self, "_content"):
            kept = _Whole(self.status_code)
            for part in bytes_of(self):
                if kept.is_full(part):
                    self.close()
                    break
            self._content = _regular(self, kept.content())
        content: bytes = self._content
        return content

    async def aread(self: Any) -> bytes:
        if not hasattr(self, "_content"):
            kept = _Whole(self.status_code)
            async for part in async_bytes_of(self):
                if kept.is_full(part):
                    await self.aclose()
                    break
            self._content = _regular(self, kept.content())
        content: bytes = self._content
        return content

    def iter_bytes(self: Any, chunk_size: int | None = None) -> Iterator[bytes]:
        stream, regular = _stream_of(self), _regular_stream(self)
        for part in bytes_of(self, chunk_size):
            stream.add(part)
            yield part if regular is None else regular.feed(part)
        if regular is not None:
            yield regular.end()

    async def aiter_bytes(self: Any, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        stream, regular = _stream_of(self), _regular_stream(self)
        async for part in async_bytes_of(self, chunk_size):
            stream.add(part)
            yield part if regular is None else regular.feed(part)
        if regular is not None:
            yield regular.end()

    names = ("_get_content_decoder", "read", "aread", "iter_bytes", "aiter_bytes")
    for name, function in zip(names, (_decoder, read, aread, iter_bytes, aiter_bytes), strict=True):
        setattr(response, name, function)


class _Whole:
    """A whole answer while it is read. An error is cut; any other answer is refused at its bound."""

    def __init__(self, status: int) -> None:
        self._is_error = status >= 300
        self._left = ERROR_MOST if self._is_error else WHOLE_MOST
        self._parts: list[bytes] = []

    def is_full(self, part: bytes) -> bool:
        """Store one part; return whether the rest can be skipped. Raises AnswerRefused."""
        self._parts.append(part[: self._left])
        self._left -= len(part)
        if self._left >= 0:
            return False
        if not self._is_error:
            raise AnswerRefused(f"the upstream's answer is larger than {WHOLE_MOST:,} bytes")
        return True

    def content(self) -> bytes:
        """The stored bytes."""
        return b"".join(self._parts)


class Stream:
    """The size of a stream and of the event that it is in. ``end`` is what ends an event, apart from carriage returns.

    With an empty ``end``, events are not counted.
    """

    def __init__(self, end: bytes) -> None:
        """Start before the first event."""
        self._end = end
        self._total = 0
        self._size = 0
        self._lines = 0
        self._events = 0
        self._tail = b""

    def add(self, part: bytes) -> None:
        """Count one part of the stream, in linear time. Raises AnswerRefused at a bound."""
        self._total += len(part)
        if self._total > STREAM_MOST:
            raise AnswerRefused(f"the upstream's stream is larger than {STREAM_MOST:,} bytes")
        if self._end:
            self._add_to_event(part)

    def _add_to_event(self, part: bytes) -> None:
        if b"\r" in part:
            part = part.replace(b"\r", b"")
        # An end may be cut in two.
        read = self._tail + part
        at = read.rfind(self._end)
        if at >= 0:
            self._events += read.count(self._end)
            if self._events > EVENTS_MOST:
                raise AnswerRefused(f"the upstream's stream has more than {EVENTS_MOST:,} events")
            self._size, self._lines = 0, 0
            read = part = read[at + len(self._end) :]
        self._size += len(part)
        self._lines += part.count(b"\n")
        self._tail = read[-1:]
        if self._size > EVENT_MOST or self._lines > EVENT_LINES_MOST:
            raise AnswerRefused(f"an event of the upstream's stream is larger than {EVENT_MOST:,} bytes")


def _regular(response: Any, content: bytes) -> bytes:
    """Return a whole answer as OpenAI would write it, or as Ollama does. Raises BadAnswer."""
    path = response.request.url.path
    if not 200 <= response.status_code < 300:
        return content
    if path.endswith(ollama.PATHS):
        return ollama.whole(content)
    return whole(content, path) if is_regular(path) else content


def _regular_stream(response: Any) -> RegularStream | ollama.Stream | None:
    """Return what makes a stream regular; None for other formats, and for what was read as a whole."""
    path = response.request.url.path
    if hasattr(response, "_content") or not 200 <= response.status_code < 300:
        return None
    if path.endswith(ollama.PATHS):
        return ollama.Stream()
    return RegularStream(path) if is_regular(path) else None


def _stream_of(response: Any) -> Stream:
    kind = response.headers.get("content-type", "")
    if kind.startswith("text/event-stream"):
        return Stream(b"\n\n")
    # botocore bounds the frames of AWS by itself.
    framed = hasattr(response, "_content") or kind.startswith("application/vnd.amazon.eventstream")
    return Stream(b"" if framed else b"\n")


class _Inflater(_decoders.ContentDecoder):
    """Decompresses an answer; no part may become larger than the limit of a whole answer."""

    def __init__(self, window: int) -> None:
        self._inflate = zlib.decompressobj(window)
        self._raw = window == zlib.MAX_WBITS

    def decode(self, data: bytes) -> bytes:
        try:
            found = self._inflate.decompress(data, WHOLE_MOST + 1)
        except zlib.error as error:
            if not self._raw:
                raise httpx.DecodingError(str(error)) from error
            # Some servers send deflate without zlib's frame.
            self._raw = False
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            return self.decode(data)
        self._raw = False
        if len(found) > WHOLE_MOST:
            raise AnswerRefused(f"the upstream's answer is larger than {WHOLE_MOST:,} bytes")
        return found

    def flush(self) -> bytes:
        return b""


def _decoder(response: Any) -> Any:
    kept = vars(response)
    if "_decoder" not in kept:
        codings = response.headers.get_list("content-encoding", split_commas=True)
        names = [name for each in codings if (name := each.strip().lower()) not in ("", "identity")]
        if len(names) > 1 or not _CODINGS.keys() >= set(names):
            raise AnswerRefused(f"the upstream compressed its answer as '{', '.join(names)[:64]}', not as asked for")
        kept["_decoder"] = _Inflater(_CODINGS[names[0]]) if names else _decoders.IdentityDecoder()
    return kept["_decoder"]
