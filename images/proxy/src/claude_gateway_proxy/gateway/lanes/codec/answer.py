"""Answers of the codec lane: an upstream's answer in the caller's format, as an HTTP response."""

import asyncio
from collections.abc import Callable
from typing import Final

from claude_gateway_proxy.bounds import STREAM_MOST
from claude_gateway_proxy.gateway.lanes.codec.reading import Read
from claude_gateway_proxy.gateway.lanes.codec.translator import Translator
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer, Pipe, Sink, value_of
from claude_gateway_proxy.translation.bad_answer import BadAnswer, Broken, Reported
from claude_gateway_proxy.translation.documents import Documents
from claude_gateway_proxy.unreachable import AnswerBroken
from claude_gateway_runtime.asgi import Headers

_EVENTS: Final = (b"content-type", b"text/event-stream; charset=utf-8")
_LINGER_SECONDS: Final = 1.0
"""How long an upstream may take to end its body after its answer was complete; then its connection is closed."""


class Streamed:
    """A stream that is translated while it is read. Each read of the upstream is returned as one piece."""

    __slots__ = (
        "_begun",
        "_documents",
        "_ended",
        "_failure",
        "_head",
        "_left",
        "_plain",
        "_read",
        "_reported",
        "_response",
        "_translator",
        "headers",
    )

    status: Final = 200
    content_length: Final[int | None] = None

    def __init__(
        self,
        response: HttpAnswer,
        translator: Translator,
        *,
        read: Read,
        headers: Headers,
        reported: Callable[[Reported], bytes],
    ) -> None:
        """Read ``response`` through ``read``. ``reported`` writes an error that the upstream reports as an event."""
        self.headers: Headers = [_EVENTS, (b"cache-control", b"no-cache"), *headers]
        self._response = response
        self._read = read
        self._plain = read == response.read
        self._translator = translator
        self._reported = reported
        self._documents = Documents()
        self._begun = self._ended = False
        self._failure: BadAnswer | None = None
        self._left = STREAM_MOST
        self._head = b""

    def header(self, name: bytes) -> str:
        """Return the value of a header, whose name is in lower case; empty if it is absent."""
        return value_of(self.headers, name)

    async def begin(self) -> None:
        """Read until the model has produced output. Raises BadAnswer, and what reading the upstream raises."""
        self._head = await self._next()
        if not self._head:
            raise Broken("the upstream ended its answer before it began")
        self._begun = True

    async def read(self) -> bytes:
        """Return the next bytes; empty at the end. Raises AnswerBroken if the upstream's answer is broken."""
        if self._head:
            head, self._head = self._head, b""
            return head
        try:
            return await self._next()
        except Reported as error:
            self._read, self._ended = _nothing, True
            return self._reported(error)
        except BadAnswer as error:
            raise AnswerBroken(str(error)) from None

    @property
    def pipe(self) -> Pipe | None:
        """Passes on each piece, translated; None if the answer is compressed or in frames."""
        return self._hand_on if self._plain else None

    async def _hand_on(self, sink: Sink) -> None:
        if self._head or self._ended or self._failure is not None:
            return

        def translate(piece: bytes) -> bytes | None:
            try:
                translated = self._translated(piece)
            except BadAnswer as error:
                self._failure = error
                return b""
            if translated and (left := sink(translated)) is not None:
                self._head = left
                return b""
            return b"" if self._ended or self._failure is not None else None

        await self._response.pipe(translate)

    def close(self) -> None:
        """End the upstream's answer."""
        self._response.close()

    async def _next(self) -> bytes:
        while not self._ended:
            if self._failure is not None:
                raise self._failure
            translated = self._translated(await self._read())
            if translated:
                return translated
        await self._linger()
        return b""

    def _translated(self, piece: bytes) -> bytes:
        """Translate a piece of the answer; an empty one is its end.

        Events before an error are sent first, unless another target can still answer the request.
        """
        self._left -= len(piece)
        if self._left < 0:
            raise Broken(f"the upstream's stream is larger than {STREAM_MOST:,} bytes")
        parts: list[bytes] = []
        try:
            self._translate(piece, parts)
        except BadAnswer as error:
            self._failure = error
        translated = b"".join(parts)
        if self._failure is not None and not (translated and self._begun):
            raise self._failure
        return translated

    def _translate(self, piece: bytes, parts: list[bytes]) -> None:
        translator, documents = self._translator, self._documents
        for document in documents.feed(piece) if piece else documents.end():
            parts.append(translator.document(document))
            if translator.ended:
                break
        self._failure = documents.failure
        if translator.ended or (self._failure is None and (documents.done or not piece)):
            self._failure = None
            # Raises BadAnswer if the answer has no end: then the translated part is sent, and the stream breaks.
            parts.append(translator.end())
            self._ended = True

    async def _linger(self) -> None:
        """Read the end of the upstream's body, so that its connection can serve the next request."""
        read, self._read = self._read, _nothing
        if self._response.complete:
            return
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while await read():
                    pass
        except (TimeoutError, OSError, BadAnswer):
            self._response.close()


async def _nothing() -> bytes:
    return b""
