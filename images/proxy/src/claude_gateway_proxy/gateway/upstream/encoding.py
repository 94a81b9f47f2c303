"""Decompresses answers that an upstream compressed against the request, up to a limit."""

import zlib
from typing import Final

_ANY: Final = 47
"""zlib's window bits for gzip and zlib alike, whichever the data begins with."""

_KNOWN: Final = frozenset({"gzip", "x-gzip", "deflate"})


def unpacked(body: bytes, encoding: str, *, limit: int) -> bytes:
    """Return the plain bytes; empty if they are more than ``limit``, incomplete, or in an unknown encoding."""
    if encoding not in _KNOWN:
        return b""
    for window in (_ANY, -zlib.MAX_WBITS):  # some servers send "deflate" without zlib's frame
        unpacker = zlib.decompressobj(window)
        try:
            plain = unpacker.decompress(body, limit)
        except zlib.error:
            continue
        return plain if unpacker.eof else b""
    return b""
