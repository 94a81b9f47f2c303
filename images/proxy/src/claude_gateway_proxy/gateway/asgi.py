"""Request bodies as the gateway reads them: what is wrong with one is a failure that its client gets."""

from claude_gateway_proxy.gateway.errors import body_too_large, body_too_slow
from claude_gateway_runtime import asgi
from claude_gateway_runtime.asgi import BodyTooLarge, BodyTooSlow, Receive


async def read_body(receive: Receive, *, limit: int, seconds: float) -> bytes:
    """Read a request body of at most ``limit`` bytes, whether its length was declared or not.

    Raises Failure 413 above the limit, Failure 408 when nothing comes for ``seconds``, ClientGone when the client
    leaves.
    """
    try:
        return await asgi.read_body(receive, limit=limit, seconds=seconds)
    except BodyTooLarge:
        raise body_too_large(limit) from None
    except BodyTooSlow:
        raise body_too_slow(seconds) from None
