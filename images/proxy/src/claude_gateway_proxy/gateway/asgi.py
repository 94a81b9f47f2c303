"""Reads request bodies; an error in one is a failure that its client receives."""

from collections.abc import Callable

from claude_gateway_proxy.gateway.errors import body_too_large, body_too_slow, coded_body
from claude_gateway_runtime import asgi
from claude_gateway_runtime.asgi import BodyTooLarge, BodyTooSlow, Headers, Receive


async def read_body(receive: Receive, *, limit: int, seconds: float, take: Callable[[int], None]) -> bytes:
    """Read a request body of at most ``limit`` bytes, whether its length was declared or not.

    ``take`` is called with the size of each part before it is stored, and may raise. Raises Failure 413 above the
    limit, Failure 408 if nothing arrives for ``seconds``, ClientGone if the client disconnects.
    """
    try:
        return await asgi.read_body(receive, limit=limit, seconds=seconds, take=take)
    except BodyTooLarge:
        raise body_too_large(limit) from None
    except BodyTooSlow:
        raise body_too_slow(seconds) from None


def check_transfer_coding(headers: Headers) -> None:
    """Check that a body's only coding is chunked: the parser reads no other (RFC 9112, 6.1). Raises Failure."""
    for name, value in headers:
        if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            raise coded_body(value.decode("latin-1"))
