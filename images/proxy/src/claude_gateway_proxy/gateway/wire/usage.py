"""Token counts and error events, read from the bytes of an answer while they pass by.

A search for ``"usage"`` at the speed of ``memmem``, and a parser only where it hits: within JSON strings quotes are
escaped, so that these seven bytes are always a key, whatever a model writes. The same bytes give the same counts
however they were cut into chunks.
"""

import json
import re
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

OBJECT_LIMIT: Final = 8 * 1024
"""Bytes that a usage object may have; larger ones are passed over."""

_NEEDLE: Final = b'"usage"'
_SPACE: Final = b" \t\r\n"
_OPENING: Final = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_BRACE: Final = ord("{")
_MOST: Final = 2**53
_ERRORS: Final = (b"event: error", b"event:error", b'data: {"error"', b'data:{"error"', b"event: response.failed")
_ERROR_TAIL: Final = max(map(len, _ERRORS))
_LINE_ENDS: Final = (b"\n", b"\r")
_DECODER: Final = json.JSONDecoder()


class Tokens(Protocol):
    """Where the counts go. The four are disjoint: ``input_tokens`` are those not read from nor written to a cache."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_creation_tokens: int


class _Answer(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"{}")


_ANSWER: Final = msgspec.json.Decoder(_Answer)


class Meter:
    """Reads one answer, streamed or not, in any of the formats. ``failed`` tells of an error event in a stream."""

    __slots__ = ("_carry", "_events", "_tail", "_tokens", "failed")

    def __init__(self, tokens: Tokens, *, events: bool) -> None:
        self._tokens = tokens
        self._events = events
        self._carry = b""
        self._tail = b"\n"
        self.failed = False

    def feed(self, chunk: bytes) -> None:
        """Read the next bytes; keeps at most ``OBJECT_LIMIT`` and a few of them."""
        if self._events and not self.failed:
            self._look_for_error(chunk)
        data = self._carry + chunk if self._carry else chunk
        if b"}" not in chunk and len(data) < OBJECT_LIMIT and data.startswith(_NEEDLE):
            self._carry = data  # the object that began is not complete yet
            return
        read = 0
        at = data.find(_NEEDLE)
        while at >= 0:
            found, read = _object_after(data, at + len(_NEEDLE))
            if found is None:
                if len(data) - at < OBJECT_LIMIT:
                    self._carry = data[at:]
                    return
                found = {}
            add(self._tokens, found)
            # What was parsed is not parsed again: objects within objects would cost the square of their depth.
            at = data.find(_NEEDLE, read)
        self._carry = data[max(read, len(data) - len(_NEEDLE) + 1) :]

    def _look_for_error(self, chunk: bytes) -> None:
        data = self._tail + chunk
        for sign in _ERRORS if b"error" in data or b"failed" in data else ():
            at = data.find(sign)
            while at >= 0 and not self.failed:
                self.failed = data[at - 1 : at] in _LINE_ENDS
                at = data.find(sign, at + 1)
        self._tail = data[-_ERROR_TAIL:]


def read(tokens: Tokens, body: bytes) -> None:
    """Take the counts of a whole JSON answer; one that is not JSON has none."""
    try:
        found = msgspec.json.decode(_ANSWER.decode(body).usage)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if isinstance(found, dict):
        add(tokens, found)


def add(tokens: Tokens, usage: Mapping[str, object]) -> None:
    """Note one usage object. All formats count up within a stream, so that the largest number is the last word.

    OpenAI counts cached tokens within ``prompt_tokens``/``input_tokens`` and names them in the details (those that were
    written to a cache as OpenRouter does), Anthropic apart from ``input_tokens``.
    """
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    cached = _count(details, "cached_tokens") if isinstance(details, dict) else 0
    written = _count(details, "cache_write_tokens") if isinstance(details, dict) else 0
    sent = _count(usage, "prompt_tokens") or _count(usage, "input_tokens")
    tokens.input_tokens = max(tokens.input_tokens, sent - cached - written)
    tokens.output_tokens = max(
        tokens.output_tokens, _count(usage, "completion_tokens") or _count(usage, "output_tokens")
    )
    tokens.cache_read_tokens = max(tokens.cache_read_tokens, cached or _count(usage, "cache_read_input_tokens"))
    written = written or _count(usage, "cache_creation_input_tokens")
    tokens.cache_creation_tokens = max(tokens.cache_creation_tokens, written)


def _count(usage: Mapping[str, object], key: str) -> int:
    value = usage.get(key)
    return value if type(value) is int and 0 <= value <= _MOST else 0


def _object_after(data: bytes, at: int) -> tuple[Mapping[str, object] | None, int]:
    """Return the object that follows a key which ends at ``at``, and where what was read of it ends.

    The object is empty where none follows, None where it has not all come.
    """
    end = at + OBJECT_LIMIT - len(_NEEDLE)
    opening = _OPENING.match(data, at, end)
    if opening is None:
        return ({} if data[at:end].strip(_SPACE) else None), at
    start = opening.end()
    if start == min(end, len(data)):
        return None, at
    if data[start] != _BRACE:
        return {}, at
    if data.find(b"}", start, end) < 0:
        # The parser need not read what it would read again with every further piece.
        return None, start + 1
    found, read = _decode(data[start:end])
    return found, start + read


def _decode(text: bytes) -> tuple[Mapping[str, object] | None, int]:
    try:
        # Latin-1 takes any bytes; only the ASCII keys and numbers matter here.
        found, read = _DECODER.raw_decode(text.decode("latin-1"))
    except json.JSONDecodeError as error:
        return None, error.pos
    except RecursionError:
        return {}, len(text)
    return (found if isinstance(found, dict) else {}), read
