"""Summaries of conversations in the encrypted content of compaction items."""

import base64
import binascii
import zlib
from typing import Final

import msgspec

_MARK: Final = "cgwc1."
"""The beginning of encrypted content with a summary. Conversations hold it, so it must not change."""

_MOST: Final = 4 * 1024 * 1024
"""Bytes that a summary may unpack to: clients could send anything."""


def sealed_summary(text: str) -> str:
    """Return a summary as encrypted content."""
    return _MARK + base64.b64encode(zlib.compress(msgspec.json.encode(text), 6)).decode()


def opened_summary(content: object) -> str | None:
    """Return the summary in encrypted content; None if it is not ours, or damaged."""
    if not isinstance(content, str) or not content.startswith(_MARK):
        return None
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(base64.b64decode(content[len(_MARK) :], validate=True), _MOST)
        return None if unpacker.unconsumed_tail else msgspec.json.decode(raw, type=str)
    except (binascii.Error, ValueError, zlib.error, msgspec.DecodeError):
        return None
