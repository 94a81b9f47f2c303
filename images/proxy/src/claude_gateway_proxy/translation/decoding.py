"""JSON from servers of any quality, read without an exception of a library.

JSON allows halves of surrogate pairs, which Python's text cannot be encoded with: a server that cuts its text into
pieces by UTF-16 sends the two halves in two chunks.
"""

import json
from typing import Any, Final

import msgspec

MALFORMED: Final = object()
"""Stands for what is not JSON."""

_HIGH: Final = ("\ud800", "\udbff")


def decode(data: bytes) -> Any:
    """Return a JSON value, or MALFORMED. Texts of the value may hold halves of surrogate pairs."""
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        return MALFORMED
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Halves of pairs, control characters, NaN, bytes that are not UTF-8.
        try:
            return json.loads(data.decode("utf-8", "replace"), strict=False)
        except (ValueError, RecursionError):
            return MALFORMED


def whole(text: str) -> str:
    """Return a text that can be encoded: the halves of a pair joined, a lone half replaced."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class Halves:
    """Joins halves of surrogate pairs that arrive in two pieces of one text."""

    __slots__ = ("_half",)

    def __init__(self) -> None:
        """Hold nothing."""
        self._half = ""

    def whole(self, text: str) -> str:
        """Return a piece that can be encoded; the first half of a pair at its end waits for the second."""
        if not self._half and text.isascii():
            return text
        text, self._half = self._half + text, ""
        if text and _HIGH[0] <= text[-1] <= _HIGH[1]:
            text, self._half = text[:-1], text[-1]
        return whole(text)

    def rest(self) -> str:
        """Return what is left of a half that no other half follows."""
        half, self._half = self._half, ""
        return whole(half)
