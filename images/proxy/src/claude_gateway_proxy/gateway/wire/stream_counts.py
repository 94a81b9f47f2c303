"""Token counts in streams of Chat Completions and Completions: OpenAI sends them only to who requests them.

With ``stream_options.include_usage`` the last chunk has no choices but the counts of the whole answer, those of hidden
reasoning among them; every other chunk has ``"usage": null``. Source: OpenAI's API reference, "Chat Completions",
``stream_options``.
"""

import re
from typing import Final

import msgspec

from claude_gateway_proxy.gateway.wire.sse import END, ENDS
from claude_gateway_proxy.gateway.wire.whole_events import WholeEvents

FIELD: Final = "stream_options"

_LIMIT: Final = 64 * 1024
"""Bytes of an event without its end that are held back at most; the one with the counts is a small part of it."""

# Within JSON strings quotes are escaped: no text of a model looks like this.
_NO_CHOICES: Final = re.compile(rb'"choices"[ \t]{0,8}:[ \t]{0,8}\[[ \t]{0,8}\]')


class _Chunk(msgspec.Struct):
    choices: list[msgspec.Raw]
    usage: dict[str, msgspec.Raw]


_OPTIONS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_INCLUDE: Final = "include_usage"
_TRUE: Final = msgspec.Raw(b"true")
_CHUNK: Final = msgspec.json.Decoder(_Chunk)


def with_counts(options: bytes | None) -> bytes | None:
    """Return a client's ``stream_options`` with the request for counts; None where they have it or are not an object.

    ``options`` is JSON text, None where the client sent none.
    """
    if options is None or options == b"null":
        return b'{"include_usage":true}'
    try:
        given = _OPTIONS.decode(options)
    except msgspec.ValidationError:
        return None
    if given.get(_INCLUDE) == _TRUE:
        return None
    return msgspec.json.encode({**given, _INCLUDE: _TRUE})


class HiddenCounts:
    """Leaves the chunk with the counts out of a stream, for a client that did not request it."""

    __slots__ = ("_events",)

    def __init__(self) -> None:
        self._events = WholeEvents(_LIMIT)

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes and return those that the client gets."""
        is_whole = not self._events.holds and chunk.endswith(ENDS)
        return _without_counts(chunk if is_whole else self._events.feed(chunk))

    def rest(self) -> bytes:
        """Return what is left at the end of the stream."""
        return _without_counts(self._events.rest())


def _without_counts(data: bytes) -> bytes:
    """Return events without those that have nothing but counts."""
    if _NO_CHOICES.search(data) is None:
        return data
    kept: list[bytes] = []
    at = 0
    for end in (*(found.end() for found in END.finditer(data)), len(data)):
        if not _has_counts_alone(data[at:end]):
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def _has_counts_alone(event: bytes) -> bool:
    if _NO_CHOICES.search(event) is None:
        return False
    _, _, text = event.partition(b"data:")
    try:
        return not _CHUNK.decode(text).choices
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
