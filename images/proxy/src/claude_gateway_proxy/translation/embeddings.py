"""Embeddings in the form that a client asks for: lists of numbers, or base64 of little-endian floats.

OpenAI's SDK for JavaScript asks for base64 by default and reads whatever comes as such: a list of numbers becomes a
short vector of zeros, without any error. Not every server knows the parameter.
"""

import base64
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

BASE64: Final = "base64"
FORMATS: Final = ("float", BASE64)
"""What ``encoding_format`` may be."""

_FLOAT: Final = 4
"""Bytes of a number in base64."""


def encoded(answer: Mapping[str, Any], *, form: object) -> dict[str, Any]:
    """Return a list of embeddings with each in ``form``: base64, otherwise float."""
    convert = _as_base64 if form == BASE64 else _as_numbers
    data = answer.get("data")
    return {**answer, "data": [_converted(each, convert) for each in data] if isinstance(data, list) else data}


def _converted(each: Any, convert: Callable[[Any], Any]) -> Any:
    return {**each, "embedding": convert(each["embedding"])} if isinstance(each, dict) and "embedding" in each else each


def _as_base64(value: Any) -> Any:
    """Numbers as base64; anything else, such as base64 itself, as it is."""
    if not isinstance(value, list):
        return value
    try:
        return base64.b64encode(struct.pack(f"<{len(value)}f", *value)).decode()
    except (struct.error, OverflowError):
        return value


def _as_numbers(value: Any) -> Any:
    """Base64 as numbers; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        raw = base64.b64decode(value, validate=True)
        return list(struct.unpack(f"<{len(raw) // _FLOAT}f", raw))
    except (ValueError, struct.error):
        return value
