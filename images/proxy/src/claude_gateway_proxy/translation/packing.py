"""Values packed into text that clients keep for the gateway and send back.

Clients could send anything. So a text unpacks to a few times its own size only: otherwise one request with many of them
would fill the memory.
"""

import base64
import binascii
import zlib
from typing import Final

_MOST: Final = 4 * 1024 * 1024
"""Bytes that a text may unpack to."""

_RATIO: Final = 8
"""How many times its own size a text may unpack to. What packs better is only encoded."""

_LEVEL: Final = 6


def packed(raw: bytes) -> str:
    """Return bytes as a text that ``unpacked`` accepts."""
    text = base64.b64encode(zlib.compress(raw, _LEVEL)).decode()
    return text if len(raw) <= _RATIO * len(text) else base64.b64encode(zlib.compress(raw, 0)).decode()


def unpacked(text: str) -> bytes | None:
    """Return the bytes in a text; None if it is damaged, or unpacks to too much."""
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(base64.b64decode(text, validate=True), min(_MOST, _RATIO * len(text)))
    except (binascii.Error, ValueError, zlib.error):
        return None
    return None if unpacker.unconsumed_tail else raw
