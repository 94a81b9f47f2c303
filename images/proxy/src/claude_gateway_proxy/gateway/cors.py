"""CORS: programs in a browser may read answers only if the gateway allows their origin.

Source: the Fetch standard, "CORS protocol". A client's key is in a header that the program sets itself, never in a
cookie, so an allowed origin can do nothing without a key.
"""

import re
from collections.abc import Sequence
from typing import Final

from claude_gateway_runtime.asgi import Message, Receive, Scope, Send, send_whole
from claude_gateway_runtime.server.protocol import App

ANY: Final = "*"
"""The value for every origin."""

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]{0,31}://[a-z0-9.\[\]:_-]{1,255}")
"""Lower case, without a path, as in the header ``Origin``; extensions of browsers have schemes of their own."""

_METHODS: Final = b"GET, HEAD, POST, DELETE, OPTIONS"
_SECONDS: Final = b"600"
"""How long a browser may remember what is allowed."""

_ASKED: Final = b"access-control-request-headers"
_ASKED_MOST: Final = 4096
"""The most bytes of a list of headers that is echoed."""


def checked_origin(text: str) -> str:
    """Return an origin as browsers write it, or ``*``. Raises ValueError."""
    if text != ANY and not _ORIGIN.fullmatch(text):
        raise ValueError("must be * or an origin such as https://chat.example.com or http://localhost:8080")
    return text


class Cors:
    """Adds CORS headers to all answers of an application to the ``origins``."""

    def __init__(self, app: App, *, origins: Sequence[str]) -> None:
        """Wrap ``app``; an origin is ``scheme://host[:port]``, or ``*`` for all."""
        self._app = app
        self._any = ANY in origins
        self._origins = frozenset(origin.encode() for origin in origins)

    @property
    def draining(self) -> bool:
        """Whether each connection should end with its current answer."""
        return self._app.draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or a browser's preflight request."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        if origin is None or not (self._any or origin in self._origins):
            await self._app(scope, receive, send)
            return
        allowed = [(b"access-control-allow-origin", b"*" if self._any else origin), (b"vary", b"Origin")]
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await send_whole(send, status=204, headers=[*allowed, *_permissions(headers)], body=b"")
            return
        allowed.append((b"access-control-expose-headers", b"*"))

        async def send_allowed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *allowed]}
            await send(message)

        await self._app(scope, receive, send_allowed)


def _permissions(headers: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return the permissions of a program: it may send any headers, so those that it requests are echoed."""
    found = [(b"access-control-allow-methods", _METHODS), (b"access-control-max-age", _SECONDS)]
    asked = headers.get(_ASKED, b"")
    if asked and len(asked) <= _ASKED_MOST:
        found.append((b"access-control-allow-headers", asked))
    if headers.get(b"access-control-request-private-network") == b"true":
        found.append((b"access-control-allow-private-network", b"true"))
    return found
