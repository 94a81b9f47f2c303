"""One connection to an upstream: a request, its answer, and the next request once both are complete."""

import asyncio
import errno
import ssl
from collections.abc import Callable
from typing import Final, cast

import httptools

from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.unreachable import AnswerBroken
from claude_gateway_runtime import keepalive

HEAD_LIMIT: Final = 32 * 1024
"""The largest head of an answer in bytes; a larger one is an error."""


class ConnectionClosed(ConnectionError):  # noqa: N818 - named as what happened
    """The upstream closed the connection without an answer.

    ``unused``: no part of the answer arrived over a pooled connection. The upstream has then most likely closed it
    before it read this request.
    """

    def __init__(self, *, unused: bool) -> None:
        super().__init__(0, "the upstream closed the connection")
        self.unused = unused


class NotHttp(OSError):  # noqa: N818 - named as what happened
    """The answer is not HTTP/1.1, or its head is too large."""


class Connection(asyncio.Protocol):
    """Sends one request at a time. ``on_free`` is called with the connection when it can take the next one.

    ``on_lost`` is called once, when the connection is gone.
    """

    __slots__ = (
        "_answer",
        "_close_delimited",
        "_content_length",
        "_head_size",
        "_headers",
        "_informational",
        "_on_free",
        "_on_lost",
        "_parser",
        "_pieces",
        "_requests",
        "_started",
        "_transport",
        "_waiter",
        "free_since",
    )

    def __init__(self, *, on_free: Callable[["Connection"], None], on_lost: Callable[["Connection"], None]) -> None:
        self._on_free = on_free
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._waiter: asyncio.Future[HttpAnswer] | None = None
        self._answer: HttpAnswer | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._head_size = 0
        self._content_length: int | None = None
        self._close_delimited = False
        self._informational = False
        self._started = False
        self._requests = 0
        self.free_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether another request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    async def send(self, head: bytes, body: bytes) -> HttpAnswer:
        """Send a request, and return its answer when its head is complete.

        Raises ConnectionClosed, NotHttp, or OSError as the system reports it.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ConnectionClosed(unused=True)
        self._requests += 1
        self._begin_message()
        self._parser = httptools.HttpResponseParser(self)
        self._started = False
        # Another request may follow on this connection before the sender of this one runs again.
        waiter: asyncio.Future[HttpAnswer] = asyncio.get_running_loop().create_future()
        self._waiter = waiter
        transport.writelines((head, body) if body else (head,))
        try:
            return await waiter
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def check(self) -> None:
        """End the connection as broken if the other side no longer hears what is sent."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if keepalive.is_unheard(transport.get_extra_info("socket")):
            self._fail(TimeoutError(errno.ETIMEDOUT, "the upstream no longer answers"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport: the first one, or the TLS one that replaces it."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser. Unexpected bytes end the connection."""
        parser = self._parser
        if parser is None:
            self.abort()
            return
        self._started = True
        if self._answer is None:
            self._head_size += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(NotHttp(0, "the answer is not HTTP/1.1"))
            return
        if self._answer is not None:
            if self._pieces:
                self._answer.feed(self._taken())
        elif self._parser is parser and self._head_size > HEAD_LIMIT:
            self._fail(NotHttp(0, "the head of the answer is too large"))

    def connection_lost(self, exc: Exception | None) -> None:
        """End the current answer; the end of the connection is the end of a body without a declared length."""
        self._transport = None
        answer, self._answer, self._parser = self._answer, None, None
        self._pieces = []
        if self._waiter is not None and not self._waiter.done():
            error = exc if isinstance(exc, (ssl.SSLError, OSError)) and not isinstance(exc, ConnectionError) else None
            self._waiter.set_exception(error or ConnectionClosed(unused=self._requests > 1 and not self._started))
        if answer is not None:
            complete = self._close_delimited and exc is None
            answer.end(error=None if complete else AnswerBroken("the upstream broke off its answer"))
        self._on_lost(self)

    def on_message_begin(self) -> None:
        """End the connection if an answer arrives without a request."""
        if self._parser is None:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header. A trailer comes too late for every decision, and is dropped."""
        if self._answer is None:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Deliver the answer; an informational one (1xx) is followed by another."""
        parser = self._parser
        waiter = self._waiter
        if parser is None or waiter is None or waiter.done():
            return
        status = parser.get_status_code()
        self._informational = 100 <= status < 200
        if self._informational:
            return
        length = coding = None
        for name, value in self._headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                coding = value
        self._close_delimited = length is None and coding is None and status not in (204, 304)
        self._answer = HttpAnswer(
            status, self._headers, content_length=length, set_reading=self._set_reading, abort=self.abort
        )
        self._waiter = None
        waiter.set_result(self._answer)

    def on_body(self, body: bytes) -> None:
        """Buffer a piece of the body until all received bytes are parsed."""
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """End the answer, and free the connection for the next request if both sides are done with this one."""
        parser, transport = self._parser, self._transport
        if self._informational:
            self._begin_message()
            return
        answer, self._answer, self._parser = self._answer, None, None
        rest = self._taken()
        if answer is not None:
            answer.end(rest)
        if transport is None or parser is None:
            return
        if not parser.should_keep_alive() or transport.get_write_buffer_size() or transport.is_closing():
            transport.abort()
            return
        transport.resume_reading()
        self._on_free(self)

    def _taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _begin_message(self) -> None:
        self._headers = []
        self._head_size = 0
        self._informational = False

    def _set_reading(self, reading: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _fail(self, error: OSError) -> None:
        answer, self._answer, self._parser = self._answer, None, None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        if answer is not None:
            answer.end(self._taken(), error=AnswerBroken(str(error.strerror)))
        self.abort()
