"""ASGI as the worker uses it: bodies of any size, since the gateway limits them, and the caller's leaving."""

from claude_gateway_runtime.asgi import ClientGone, Headers, Receive, Send, send_whole


async def send_document(send: Send, *, status: int, kind: bytes, body: bytes, headers: Headers = ()) -> None:
    """Send an answer of the content type ``kind``."""
    fixed = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send_whole(send, status=status, headers=[*fixed, *headers], body=body)


async def read_body(receive: Receive) -> bytes:
    """Read a request body; the gateway, which is the only caller, limits its size. Raises ClientGone."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def gone(receive: Receive) -> None:
    """Return when the caller has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
