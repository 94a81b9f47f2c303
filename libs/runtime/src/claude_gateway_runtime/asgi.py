"""The few ASGI shapes that the data plane's processes use, and the one way to send a whole answer."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

JSON: Final = b"application/json"
TEXT: Final = b"text/plain; charset=utf-8"


class ClientGone(Exception):  # noqa: N818 - the end of a story, not an error
    """The client closed its connection before its request was complete."""


async def send_whole(send: Send, *, status: int, headers: Headers, body: bytes) -> None:
    """Send an answer that is complete; ``headers`` has all that it needs."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
