"""uvicorn's HTTP protocol with bounds on heads and ages, and with an orderly end of connections."""

import asyncio
import random
import re
from dataclasses import dataclass
from typing import Any, Final
from typing import Protocol as Shape

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from claude_gateway.names import INTERNAL_HEADER_PREFIX
from claude_gateway_runtime.asgi import Receive, Scope, Send

_JITTER: Final = 0.1
"""Part of the age by which it differs between connections, so that clients of one moment do not return as one."""
_QUIET_SECONDS: Final = 2
"""How long an old connection must be idle to be closed: a client in mid-conversation hears of it in an answer first."""
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

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
    """What one connection may do.

    A request head may have ``head_bytes`` and take ``head_seconds``. A connection gets not much older than
    ``age_seconds``; 0 means no limit.
    """

    head_bytes: int = 64 * 1024
    head_seconds: float = 30.0
    age_seconds: float = 0.0


class Protocol(HttpToolsProtocol):
    """One connection within limits.

    The parser has none: one connection could fill the memory, or stay open without a request. Without a limit of age,
    all of a client's requests would go to the pod that it once found.
    """

    def __init__(self, *args: Any, limits: Limits, **kwargs: Any) -> None:
        """Take uvicorn's arguments, and ``limits``."""
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._old = False
        self._age_timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timers of the first head and of the age."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self._limits.head_seconds, transport.close)
        if self._limits.age_seconds:
            spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, keeps no secret
            self._age_timer = self.loop.call_later(self._limits.age_seconds * spread, self._age)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        self._stop_timer()
        if self._age_timer is not None:
            self._age_timer.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Count the head from here."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """End the connection with this answer if it is old or the server is going away."""
        self._in_head = False
        super().on_headers_complete()
        if self._old or self.app.draining:
            self.finish()

    def finish(self) -> None:
        """End the connection with the answer that is under way; an idle one stays for the next request."""
        if not self._in_head and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def data_received(self, data: bytes) -> None:
        """Feed the parser; reject a head that is too large or takes too long."""
        if (self._in_head or not self.cycle.more_body) and data.find(b"pgrade", 0, _UPGRADE_WITHIN) >= 0:
            data = _without_upgrade(data)
        super().data_received(data)
        if not self._in_head:
            if self._head_timer is not None:
                self._stop_timer()
            return
        self._head_bytes += len(data)
        if self._head_bytes > self._limits.head_bytes:
            if not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self._limits.head_seconds, self.transport.close)

    def _age(self) -> None:
        """End the connection, which is old now, with an answer that says so, or in a pause.

        An answer that began without saying so cannot end it: the client may already be sending its next request.
        """
        self._old = True
        self.timeout_keep_alive = _QUIET_SECONDS
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(_QUIET_SECONDS, self.timeout_keep_alive_handler)
        elif not self._in_head and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _without_upgrade(data: bytes) -> bytes:
    """Rename the header ``Upgrade``, which a server may ignore (RFC 9110, 7.8).

    The parser would take the body for the new protocol's. Java's HTTP client offers ``h2c`` with every first request.
    """
    end = data.find(b"\r\n\r\n")
    head, rest = (data, b"") if end < 0 else (data[:end], data[end:])
    return _UPGRADE.sub(f"\r\n{INTERNAL_HEADER_PREFIX}upgrade:".encode(), head) + rest
