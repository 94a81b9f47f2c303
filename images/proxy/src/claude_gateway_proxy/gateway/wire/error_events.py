"""Errors that an upstream reports within an answer, without the keys that it may quote in them."""

from typing import Final

from claude_gateway_proxy.gateway.wire.whole_events import WholeEvents
from claude_gateway_proxy.masking import Mask

_LIMIT: Final = 64 * 1024
"""The most bytes of an incomplete event that are buffered."""

_ERROR: Final = b'"error"'
_SIGNS: Final = (b'"error":{', b'"error": {', b'"error":"', b'"error": "')
"""Members of an error. Quotes are escaped within JSON strings, so no text of a model looks like them."""


def reports_error(data: bytes) -> bool:
    """Whether a piece of an answer has the beginning of an error."""
    # One search is all that an ordinary piece of a stream costs.
    return _ERROR in data and any(sign in data for sign in _SIGNS)


def without_keys(body: bytes, mask: Mask) -> bytes:
    """Return a whole answer without the keys that an upstream quotes; an error is cleaned of their parts as well."""
    return mask.cover((mask.document(body) if mask and reports_error(body) else b"") or body)


class ErrorEvents:
    """Passes on a stream; from its first error on, each event is buffered until its end and cleaned as a whole.

    A key may come in two pieces. Before an error, whole keys are covered where a piece has one.
    """

    __slots__ = ("_events", "_mask", "_seen")

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._events = WholeEvents(_LIMIT)
        self._seen = False

    def feed(self, chunk: bytes, *, failed: bool) -> bytes:
        """Take the next bytes and return those that can be sent; ``failed`` once the stream has had an error event."""
        if not self._seen:
            if not failed and not reports_error(chunk):
                return self._mask.cover(chunk)
            self._seen = True
        return self._mask.events(data) if (data := self._events.feed(chunk)) else b""

    def rest(self) -> bytes:
        """Return what is left at the end of the stream."""
        return self._mask.events(self._events.rest())


class ErrorLines:
    """Passes on results of a batch, one JSON document a line; a line is held back until its end and cleaned as a whole.

    Of a line that is too long, whole keys are covered where a piece has one.
    """

    __slots__ = ("_held", "_long", "_mask", "_size")

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._held: list[bytes] = []
        self._size = 0
        self._long = False

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes and return those that can be sent."""
        *lines, rest = chunk.split(b"\n")
        shown: list[bytes] = []
        for line in lines:
            self._hold(line)
            shown += (self.rest(), b"\n")
            self._long = False
        self._hold(rest)
        if self._size > _LIMIT:
            self._long = True
            shown.append(self.rest())
        return b"".join(shown)

    def rest(self) -> bytes:
        """Return the buffered bytes."""
        held = b"".join(self._held)
        self._held, self._size = [], 0
        return self._mask.cover(held) if self._long else without_keys(held, self._mask)

    def _hold(self, piece: bytes) -> None:
        self._held.append(piece)
        self._size += len(piece)
