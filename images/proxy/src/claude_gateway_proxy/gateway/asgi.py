"""ASGI as the gateway uses it: a request body, read up to a limit in size and in patience."""

import asyncio

from claude_gateway_proxy.gateway.errors import body_too_large, body_too_slow
from claude_gateway_runtime.asgi import ClientGone, Receive


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
