"""ASGI as every HTTP process uses it: its types, request bodies, and responses sent in one piece."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

PEER_CERTIFICATE: Final = "peer_certificate"
"""Where a scope of our own server has the certificate of the client, verified in the handshake, as DER bytes."""

JSON: Final = b"application/json"
TEXT: Final = b"text/plain; charset=utf-8"


class Incoming:
    """An ASGI ``receive`` of our own server, which also reports whether it would wait, and when its client disconnects.

    Waiting in ``receive`` for the client to disconnect would need a task for each request.
    """

    __slots__ = ("_receive", "ready", "unwatch", "watch")

    def __init__(
        self,
        receive: Receive,
        *,
        ready: Callable[[], bool],
        watch: Callable[[Callable[[], None]], None],
        unwatch: Callable[[Callable[[], None]], None],
    ) -> None:
        """``ready`` returns whether the next message has already arrived.

        ``watch`` registers a function to call once when the client disconnects; ``unwatch`` removes it.
        """
        self._receive = receive
        self.ready = ready
        self.watch = watch
        self.unwatch = unwatch

    def __call__(self) -> Awaitable[Message]:
        """Return the next message."""
        return self._receive()


class Outgoing:
    """An ASGI ``send`` of our own server, which also writes a piece of a body at once, without a coroutine."""

    __slots__ = ("_send", "writable", "write")

    def __init__(self, send: Send, *, writable: Callable[[], bool], write: Callable[[bytes], None]) -> None:
        """``writable`` returns whether ``write`` may be called now; if not, ``send`` waits until the client reads."""
        self._send = send
        self.writable = writable
        self.write = write

    def __call__(self, message: Message) -> Awaitable[None]:
        """Send one message."""
        return self._send(message)


class ClientGone(Exception):  # noqa: N818 - an event, not an error
    """The client closed its connection before its request was complete."""


class BodyTooLarge(Exception):  # noqa: N818 - names the request
    """A request body is larger than the limit."""


class BodyTooSlow(Exception):  # noqa: N818
    """The client paused for too long in the middle of its request body."""


async def read_body(
    receive: Receive,
    *,
    limit: int | None = None,
    seconds: float | None = None,
    take: Callable[[int], None] | None = None,
) -> bytes:
    """Read a request body, whether its length was declared or not. None means no limit.

    ``take`` is called with the size of each part before it is stored, and may raise. Raises BodyTooLarge above
    ``limit`` bytes, BodyTooSlow when nothing comes for ``seconds``, ClientGone when the client leaves.
    """
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await _next(receive, seconds)
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        if take is not None:
            take(len(part))
        parts.append(part)
        size += len(part)
        if limit is not None and size > limit:
            raise BodyTooLarge
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _next(receive: Receive, seconds: float | None) -> Message:
    if isinstance(receive, Incoming) and receive.ready():
        return await receive()
    try:
        async with asyncio.timeout(seconds):
            return await receive()
    except TimeoutError:
        raise BodyTooSlow from None


async def send_whole(send: Send, *, status: int, headers: Headers, body: bytes) -> None:
    """Send a complete response with exactly these ``headers``."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_document(send: Send, *, status: int, kind: bytes, body: bytes, headers: Headers = ()) -> None:
    """Send a complete response of the content type ``kind``."""
    fixed = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send_whole(send, status=status, headers=[*fixed, *headers], body=body)


async def gone(receive: Receive) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
