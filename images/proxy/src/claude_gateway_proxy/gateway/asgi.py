"""Request bodies as the gateway reads them: what is wrong with one is a failure that its client gets."""

import asyncio
import zlib
from collections.abc import Callable
from typing import Final

from claude_gateway_proxy.gateway.errors import bad_request, body_too_large, body_too_slow, coded_body, encoded_body
from claude_gateway_runtime import asgi
from claude_gateway_runtime.asgi import BodyTooLarge, BodyTooSlow, Headers, Receive

_AT_ONCE: Final = 256 * 1024
"""Bytes that are decompressed on the event loop, which takes a millisecond; the rest is work for a thread."""

_NO_ENCODING: Final = frozenset({"", "identity"})
_ENCODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})
_ZLIB: Final = 15
_GZIP: Final = 31
_RAW: Final = -15
"""``wbits`` of zlib's three formats."""


async def read_body(receive: Receive, *, limit: int, seconds: float, take: Callable[[int], None]) -> bytes:
    """Read a request body of at most ``limit`` bytes, whether its length was declared or not.

    ``take`` is called with the size of each part before it is kept, and may raise. Raises Failure 413 above the limit,
    Failure 408 when nothing comes for ``seconds``, ClientGone when the client leaves.
    """
    try:
        return await asgi.read_body(receive, limit=limit, seconds=seconds, take=take)
    except BodyTooLarge:
        raise body_too_large(limit) from None
    except BodyTooSlow:
        raise body_too_slow(seconds) from None


def check_transfer_coding(headers: Headers) -> None:
    """Check that a body is chunked and no more: its parser reads no other coding (RFC 9112, 6.1). Raises Failure."""
    for name, value in headers:
        if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            raise coded_body(value.decode("latin-1"))


def content_encoding(value: bytes | None) -> str | None:
    """Return the encoding of a body by its header, None for a plain one. Raises Failure (415) for an unknown one."""
    if value is None:
        return None
    text = value.decode("latin-1").strip()
    encoding = text.lower()
    if encoding in _NO_ENCODING:
        return None
    if encoding not in _ENCODINGS:
        raise encoded_body(text)
    return encoding


async def decompressed(raw: bytes, encoding: str, *, limit: int) -> bytes:
    """Return the plain bytes of a body, at most ``limit`` of them.

    Raises Failure 413 above the limit, and Failure 400 where the body is not what its header says.
    """
    stream = zlib.decompressobj(_GZIP if encoding.endswith("gzip") else _deflate(raw))
    try:
        plain = stream.decompress(raw, min(_AT_ONCE, limit + 1))
        if not stream.eof and len(plain) <= limit:
            room = limit + 1 - len(plain)
            plain += await asyncio.to_thread(stream.decompress, stream.unconsumed_tail, room)
    except zlib.error:
        raise bad_request(f"the body is not {encoding}, which its content-encoding says") from None
    if len(plain) > limit:
        raise body_too_large(limit)
    if not stream.eof or stream.unused_data:
        raise bad_request(f"the body does not end where its {encoding} ends")
    return plain


def _deflate(raw: bytes) -> int:
    """The format of a deflated body: zlib's by RFC 9110, but some clients leave its head out."""
    return _ZLIB if len(raw) > 1 and raw[0] & 0x0F == 8 and int.from_bytes(raw[:2], "big") % 31 == 0 else _RAW
