"""Reasoning of other models in the signature of a thinking block, so that it comes back with the history.

A signature is opaque to clients. Ours begins with a mark that no signature of Anthropic's has, and holds what the
model's own provider wants back: the reasoning text, or the encrypted items of OpenAI's Responses.
"""

import base64
import binascii
import zlib
from typing import Any, Final

import msgspec

MARK: Final = "cgw1."
"""The beginning of a signature that this gateway wrote."""

_MOST: Final = 4 * 1024 * 1024
"""Bytes that a signature may unpack to: clients could send anything."""


class Thought(msgspec.Struct, omit_defaults=True):
    """What was thought. ``items`` are reasoning items of Responses, as they must be sent back."""

    text: str = ""
    items: list[dict[str, Any]] = []


_DECODER: Final = msgspec.json.Decoder(Thought)


def sign(thought: Thought) -> str:
    """The signature that holds a thought."""
    return MARK + base64.b64encode(zlib.compress(msgspec.json.encode(thought), 6)).decode()


def is_ours(signature: object) -> bool:
    """Whether a signature was written by ``sign``; a Claude would refuse it."""
    return isinstance(signature, str) and signature.startswith(MARK)


def read(signature: object) -> Thought | None:
    """Return the thinking in one of our signatures; None if it is not ours, or damaged."""
    if not isinstance(signature, str) or not is_ours(signature):
        return None
    try:
        packed = base64.b64decode(signature[len(MARK) :], validate=True)
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(packed, _MOST)
        return None if unpacker.unconsumed_tail else _DECODER.decode(raw)
    except (binascii.Error, ValueError, zlib.error, msgspec.DecodeError, RecursionError):
        return None
