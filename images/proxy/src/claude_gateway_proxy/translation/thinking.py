"""Reasoning of other models in the signature of a thinking block, so that it comes back with the history.

A signature is opaque to clients. Ours begins with a mark that no signature of Anthropic's has, and holds what the
model's own provider wants back: the reasoning text, or the encrypted items of OpenAI's Responses.
"""

from typing import Any, Final

import msgspec

from claude_gateway_proxy.translation.packing import packed, unpacked

MARK: Final = "cgw1."
"""The beginning of a signature that this gateway wrote."""


class Thought(msgspec.Struct, omit_defaults=True):
    """What was thought. ``items`` are reasoning items of Responses, as they must be sent back."""

    text: str = ""
    items: list[dict[str, Any]] = []


_DECODER: Final = msgspec.json.Decoder(Thought)


def sign(thought: Thought) -> str:
    """The signature that holds a thought."""
    return MARK + packed(msgspec.json.encode(thought))


def is_ours(signature: object) -> bool:
    """Whether a signature was written by ``sign``; a Claude would refuse it."""
    return isinstance(signature, str) and signature.startswith(MARK)


def read(signature: object) -> Thought | None:
    """Return the thinking in one of our signatures; None if it is not ours, or damaged."""
    if not isinstance(signature, str) or not is_ours(signature):
        return None
    raw = unpacked(signature[len(MARK) :])
    try:
        return None if raw is None else _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
