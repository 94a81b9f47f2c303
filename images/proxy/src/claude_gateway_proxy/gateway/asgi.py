"""The few ASGI shapes that the gateway uses, and the ways to send a whole answer and to read a whole body."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

from claude_gateway_proxy.gateway.errors import body_too_large, body_too_slow

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


async def read_body(receive: Receive, *, limit: int, seconds: float) -> bytes:
    """Read a request body of at most ``limit`` bytes, whether its length was declared or not.

    Raises Failure 413 above the limit, Failure 408 when nothing comes for ``seconds``, ClientGone when the client
    leaves.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds) as patience:
            more = True
            while more and size <= limit:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                parts.append(message["body"])
                size += len(parts[-1])
                more = message["more_body"]
                if more and parts[-1]:
                    patience.reschedule(asyncio.get_running_loop().time() + seconds)
    except TimeoutError:
        raise body_too_slow(seconds) from None
    if size > limit:
        raise body_too_large(limit)
    return parts[0] if len(parts) == 1 else b"".join(parts)
