"""uvicorn's HTTP protocol with bounds on heads, trailers, numbers and ages, and with an orderly end of connections."""

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from typing import Protocol as Shape

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from claude_gateway.names import INTERNAL_HEADER_PREFIX
from claude_gateway_runtime.asgi import PEER_CERTIFICATE, Incoming, Outgoing, Receive, Scope, Send
from claude_gateway_runtime.server.corked import Corked
from claude_gateway_runtime.server.crowd import Crowd, Origin

_JITTER: Final = 0.1
"""The part of the age that varies between connections, so that clients do not all reconnect at the same time."""
QUIET_SECONDS: Final = 2
"""How long an old connection must be idle to be closed: an active client learns of it from a response first."""
_CHUNK_HEAD: Final = 16
"""The bytes around the data of a chunk that every client may send: its size and the line ends."""
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_MANY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)

_UPGRADE: Final = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
_UPGRADE_WITHIN: Final = 16 * 1024


class App(Shape):
    """An ASGI application that says whether the process is going away."""

    @property
    def draining(self) -> bool:
        """Whether each connection should end with its current answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> None:
        """Answer one request."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the connections of one listener may do.

    A request may have ``head_bytes`` before and after its body, and take ``head_seconds`` for them. At most
    ``connections`` are open, ``connections_per_address`` of them from one address; each is closed soon after
    ``age_seconds``. 0 means no limit.
    """

    head_bytes: int = 64 * 1024
    head_seconds: float = 30.0
    age_seconds: float = 0.0
    connections: int = 0
    connections_per_address: int = 0


class Protocol(HttpToolsProtocol):
    """One connection within limits.

    The parser has no limits: one connection could fill the memory, or stay open without a request. Without a limit of
    age, all requests of a client would stay on the pod that it first connected to.
    """

    def __init__(self, *args: Any, limits: Limits, crowd: Crowd, **kwargs: Any) -> None:
        """Take uvicorn's arguments, the ``limits``, and the ``crowd`` of the listener's connections."""
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._crowd = crowd
        self._origin: Origin
        self._corked: Corked
        self._old = False
        self._age_timer: asyncio.TimerHandle | None = None
        self._asked = False
        self._in_head = True
        self._in_message = True
        self._came_far = False
        self._overhead = 0
        self._content = 0
        self._timer: asyncio.TimerHandle | None = None
        self._lost = False
        self._watcher: Callable[[], None] | None = None
        self._certificate: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timers of the first head and of the age; close a connection if there are too many."""
        self._corked = Corked(transport, self.loop)
        super().connection_made(self._corked)
        tls = transport.get_extra_info("ssl_object")
        # None unless the client presented one and the handshake verified it.
        self._certificate = None if tls is None else tls.getpeercert(binary_form=True)
        self._start_timer()
        if self._limits.age_seconds:
            spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, keeps no secret
            self._age_timer = self.loop.call_later(self._limits.age_seconds * spread, self.finish)
        # A Unix socket has no address.
        self._origin = self._crowd.enter(self, self.client[0] if self.client else "")

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers, and notify the application that watches the client."""
        self._lost = True
        self._crowd.leave(self, self._origin)
        self._stop_timer()
        if self._age_timer is not None:
            self._age_timer.cancel()
        super().connection_lost(exc)
        if self._watcher is not None:
            self._watcher()

    def on_message_begin(self) -> None:
        """Start to count the bytes of the head."""
        super().on_message_begin()
        if self._certificate is not None:
            self.scope[PEER_CERTIFICATE] = self._certificate  # type: ignore[typeddict-unknown-key]
        self._in_head = self._in_message = True
        self._overhead = 0

    def on_headers_complete(self) -> None:
        """End the connection with this answer if it is old or the server is going away."""
        self._asked, self._in_head = True, False
        self._came_far = True
        self._crowd.rise(self, self._origin)
        super().on_headers_complete()
        # The parser reports trailers as it does headers, but they come after the decisions that headers are for
        # (RFC 9110, 6.5.1): the request keeps its list, and they go into one that nobody reads.
        self.headers = []
        if self._old or self.app.draining:
            self.finish()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Start the application for a request; it may watch its client, and write to it at once."""

        def writable() -> bool:
            return not self._lost and not self.flow.write_paused and bool(cycle.chunked_encoding)

        def write(data: bytes) -> None:
            self._corked.write_now(b"%x\r\n%b\r\n" % (len(data), data))

        def direct(scope: Any, receive: Any, send: Any) -> Any:
            incoming = Incoming(receive, ready=cycle.message_event.is_set, watch=self._watch, unwatch=self._unwatch)
            return app(scope, incoming, Outgoing(send, writable=writable, write=write))

        super()._start_asgi_task(cycle, direct)

    def on_chunk_header(self) -> None:
        """Expect some bytes around the data of a chunk."""
        self._content += _CHUNK_HEAD

    def on_body(self, body: bytes) -> None:
        """Separate the bytes of the body from those around it."""
        self._content += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect the next head."""
        self._in_message = False
        self._came_far = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Send the end at once, and wait for the next request; the rest of this one has the time limit of a head."""
        self._corked.flush()
        super().on_response_complete()
        if not self.transport.is_closing() and self.cycle.response_complete:
            self._crowd.wait(self, self._origin)
            if self._in_message:
                self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; cut off a head or trailers that are too large or take too long."""
        if (self._in_head or not self.cycle.more_body) and data.find(b"pgrade", 0, _UPGRADE_WITHIN) >= 0:
            data = _without_upgrade(data)
        self._came_far, self._content = False, 0
        super().data_received(data)
        if not self._in_message:
            self._wait_for_head()
            return
        self._overhead = 0 if self._came_far else max(0, self._overhead + len(data) - self._content)
        if self._overhead > self._limits.head_bytes:
            self._cut_off()
        elif self._in_head or not (self._came_far or self._content):
            self._start_timer()
        elif not self.cycle.response_complete:
            self._stop_timer()

    def _wait_for_head(self) -> None:
        """Limit the time between two requests: only blank lines may come there, which the parser skips."""
        if self._came_far or not self.cycle.response_complete:
            self._stop_timer()
        else:
            self._start_timer()

    def _cut_off(self) -> None:
        """Close the connection; send the reason if the client only waits for the response to this request."""
        cycle = self.cycle
        answers = not self._asked or (cycle.response_complete if self._in_head else not cycle.response_started)
        if answers and not self.pipeline and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
        self.transport.close()

    def finish(self) -> None:
        """End the connection with its next answer, or in a pause.

        It cannot end at once, nor with a response that began without announcing it: the client may already be sending
        its next request.
        """
        self._old = True
        self.timeout_keep_alive = QUIET_SECONDS
        if self.timeout_keep_alive_task is not None or not self._asked:
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(QUIET_SECONDS, self.timeout_keep_alive_handler)
        elif not self._in_head and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def _watch(self, left: Callable[[], None]) -> None:
        """Call ``left`` when the connection is lost. Only one request of a connection is being answered at a time."""
        self._watcher = left
        # The end of a connection is noticed only while it is being read.
        self.flow.resume_reading()
        if self._lost:
            self.loop.call_soon(left)

    def _unwatch(self, left: Callable[[], None]) -> None:
        # The next request may be watching already.
        if self._watcher == left:
            self._watcher = None

    def make_room(self) -> None:
        """Make room for another connection; a client that had no response yet is sent when to retry."""
        if not self._asked and not self.transport.is_closing():
            self.transport.write(_TOO_MANY)
        self._crowd.rise(self, self._origin)
        self.transport.close()

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self._limits.head_seconds, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _without_upgrade(data: bytes) -> bytes:
    """Rename the header ``Upgrade``, which a server may ignore (RFC 9110, 7.8).

    The parser would treat the body as data of the new protocol. Java's HTTP client offers ``h2c`` with every first
    request.
    """
    end = data.find(b"\r\n\r\n")
    head, rest = (data, b"") if end < 0 else (data[:end], data[end:])
    return _UPGRADE.sub(f"\r\n{INTERNAL_HEADER_PREFIX}upgrade:".encode(), head) + rest
