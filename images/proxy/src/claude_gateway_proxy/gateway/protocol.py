"""uvicorn's HTTP protocol with bounds on heads and ages, and with the manners of a server that is going away."""

import asyncio
import random
import re
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from claude_gateway.names import INTERNAL_HEADER_PREFIX

_HEAD_BYTES: Final = 64 * 1024
_HEAD_SECONDS: Final = 30.0
_JITTER: Final = 0.1
"""Part of the age by which it differs between connections, so that clients of one moment do not come back as one."""
_QUIET_SECONDS: Final = 2
"""How long an old connection must have been idle to be closed: a client in mid-conversation hears of it first."""
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

_UPGRADE: Final = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
_UPGRADE_WITHIN: Final = 16 * 1024


class Protocol(HttpToolsProtocol):
    """The parser has no bound of its own: one connection could fill the memory, or stay open for nothing.

    A connection may live for ever, too, and then all of a client's requests go to the pod that it once found.
    """

    def __init__(self, *args: Any, max_age_seconds: float, **kwargs: Any) -> None:
        """Take what uvicorn gives; a ``max_age_seconds`` of 0 is no limit."""
        super().__init__(*args, **kwargs)
        self._max_age_seconds = max_age_seconds
        self._old = False
        self._age_timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the client a while to send its first head."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(_HEAD_SECONDS, transport.close)
        if self._max_age_seconds:
            spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, keeps no secret
            self._age_timer = self.loop.call_later(self._max_age_seconds * spread, self._age)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
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
        """Let the connection end with this answer if it is old or the server is going away."""
        self._in_head = False
        super().on_headers_complete()
        if self._old or self.app.draining:
            self.finish()

    def finish(self) -> None:
        """End the connection with the answer that is under way; an idle one stays for the next request."""
        if not self._in_head and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def data_received(self, data: bytes) -> None:
        """Feed the parser and refuse a head that grows or lasts too long."""
        if (self._in_head or not self.cycle.more_body) and data.find(b"pgrade", 0, _UPGRADE_WITHIN) >= 0:
            data = _without_upgrade(data)
        super().data_received(data)
        if not self._in_head:
            if self._head_timer is not None:
                self._stop_timer()
            return
        self._head_bytes += len(data)
        if self._head_bytes > _HEAD_BYTES:
            if not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(_HEAD_SECONDS, self.transport.close)

    def _age(self) -> None:
        """The connection is old: it ends with an answer that says so, or in a pause.

        An answer that has begun without saying so is no end, because the client may already send its next request.
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
    """Rename the header ``Upgrade``, which HTTP lets a server ignore.

    The parser would take the body for the new protocol's: Java's HTTP client offers ``h2c`` with every first request.
    """
    end = data.find(b"\r\n\r\n")
    head, rest = (data, b"") if end < 0 else (data[:end], data[end:])
    return _UPGRADE.sub(f"\r\n{INTERNAL_HEADER_PREFIX}upgrade:".encode(), head) + rest
