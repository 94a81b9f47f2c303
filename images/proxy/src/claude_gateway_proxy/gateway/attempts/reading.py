"""Reading an answer as far as it must be known before anything is sent."""

from claude_gateway_proxy.gateway.answer import Read


async def gather(read: Read, head: bytes, *, limit: int) -> tuple[bytes, bool]:
    """Read to the end or the limit, so that another target can be tried if the answer breaks off."""
    parts, size = [head], len(head)
    while size < limit:
        chunk = await read()
        if not chunk:
            return b"".join(parts), True
        parts.append(chunk)
        size += len(chunk)
    return b"".join(parts), False
