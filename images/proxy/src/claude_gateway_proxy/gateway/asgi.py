"""The few ASGI shapes that the gateway uses, and the ways to send a whole answer and to read a whole body."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

from claude_gateway_proxy.gateway.errors import body_too_large

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


async def read_body(receive: Receive, *, limit: int) -> bytes:
    """Read a request body of at most ``limit`` bytes, whether its length was declared or not.

    Raises Failure 413 above the limit, ClientGone when the client leaves.
    """
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message["body"]
    if not message["more_body"] and len(body) <= limit:
        return body
    parts, size = [body], len(body)
    while size <= limit and message["more_body"]:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message["body"])
        size += len(message["body"])
    if size > limit:
        raise body_too_large(limit)
    return b"".join(parts)
