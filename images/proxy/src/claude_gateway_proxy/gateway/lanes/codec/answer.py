"""Answers of the codec lane: what an upstream said, in the caller's format, behind the head of an HTTP response."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import aiohttp

from claude_gateway_proxy.bounds import STREAM_MOST
from claude_gateway_proxy.gateway.lanes.codec.reading import Read
from claude_gateway_proxy.gateway.lanes.codec.retelling import Retelling
from claude_gateway_proxy.translation.bad_answer import BadAnswer, Broken, Reported
from claude_gateway_proxy.translation.documents import Documents
from claude_gateway_runtime.asgi import Headers

_EVENTS: Final = "text/event-stream; charset=utf-8"
_JSON: Final = "application/json"
_LINGER_SECONDS: Final = 1.0
"""How long an upstream may take to end its body after its answer was complete; then its connection is closed."""


class Whole:
    """An answer that is complete, or an error."""

    __slots__ = ("_body", "content_length", "headers", "raw_headers", "status")

    def __init__(self, body: bytes, *, status: int = 200, headers: Headers = ()) -> None:
        """Answer with a JSON ``body``; ``headers`` are those besides its type."""
        self.status = status
        self.content_length: int | None = len(body)
        self.headers: Mapping[str, str] = {"content-type": _JSON}
        self.raw_headers: Headers = [*_raw(self.headers), *headers]
        self._body = body

    @property
    def content(self) -> "Whole":
        """The body."""
        return self

    async def readany(self) -> bytes:
        """Return the body, then nothing."""
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        """Nothing is open."""


class Streamed:
    """A stream that is translated while it is read. All that one read of the upstream brings is returned at once."""

    __slots__ = (
        "_begun",
        "_documents",
        "_ended",
        "_failure",
        "_head",
        "_left",
        "_read",
        "_reported",
        "_response",
        "_retelling",
        "headers",
        "raw_headers",
    )

    status: Final = 200
    content_length: Final[int | None] = None

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        retelling: Retelling,
        *,
        read: Read,
        headers: Headers,
        reported: Callable[[Reported], bytes],
    ) -> None:
        """Read ``response`` through ``read``. ``reported`` writes an error that the upstream reports as an event."""
        self.headers: Mapping[str, str] = {"content-type": _EVENTS}
        self.raw_headers: Headers = [*_raw(self.headers), (b"cache-control", b"no-cache"), *headers]
        self._response = response
        self._read = read
        self._retelling = retelling
        self._reported = reported
        self._documents = Documents()
        self._begun = self._ended = False
        self._failure: BadAnswer | None = None
        self._left = STREAM_MOST
        self._head = b""

    @property
    def content(self) -> "Streamed":
        """The body."""
        return self

    async def begin(self) -> None:
        """Read until the model has said something. Raises BadAnswer, and what reading the upstream raises."""
        self._head = await self._next()
        if not self._head:
            raise Broken("the upstream ended its answer before it began")
        self._begun = True

    async def readany(self) -> bytes:
        """Return what follows; none at the end. Raises aiohttp.ClientError where the upstream's answer is broken."""
        if self._head:
            head, self._head = self._head, b""
            return head
        try:
            return await self._next()
        except Reported as error:
            self._read, self._ended = _nothing, True
            return self._reported(error)
        except BadAnswer as error:
            raise aiohttp.ClientPayloadError(str(error)) from None

    def close(self) -> None:
        """End the upstream's answer."""
        self._response.close()

    async def _next(self) -> bytes:
        while not self._ended:
            if self._failure is not None:
                raise self._failure
            told = self._told(await self._read())
            if told:
                return told
        await self._linger()
        return b""

    def _told(self, piece: bytes) -> bytes:
        """Retell a piece of the answer; an empty one is its end.

        What comes before an error is told before it, unless the whole answer can still be another target's.
        """
        self._left -= len(piece)
        if self._left < 0:
            raise Broken(f"the upstream's stream is larger than {STREAM_MOST:,} bytes")
        parts: list[bytes] = []
        try:
            self._retell(piece, parts)
        except BadAnswer as error:
            self._failure = error
        told = b"".join(parts)
        if self._failure is not None and not (told and self._begun):
            raise self._failure
        return told

    def _retell(self, piece: bytes, parts: list[bytes]) -> None:
        retelling, documents = self._retelling, self._documents
        for document in documents.feed(piece) if piece else documents.end():
            parts.append(retelling.document(document))
            if retelling.ended:
                break
        self._failure = documents.failure
        if retelling.ended or (self._failure is None and (documents.done or not piece)):
            self._ended, self._failure = True, None
            parts.append(retelling.end())

    async def _linger(self) -> None:
        """Read the end of the upstream's body, so that its connection can serve the next request."""
        read, self._read = self._read, _nothing
        if self._response.content.at_eof():
            return
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while await read():
                    pass
        except (TimeoutError, aiohttp.ClientError, OSError, BadAnswer):
            self._response.close()


async def _nothing() -> bytes:
    return b""


def _raw(headers: Mapping[str, str]) -> Headers:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
