"""Errors that an upstream reports within an answer, without the keys that it may quote in them."""

from typing import Final

from claude_gateway_proxy.gateway.wire.sse import END
from claude_gateway_proxy.masking import Mask

_LIMIT: Final = 64 * 1024
"""Bytes of an event without its end that are held back at most."""

_ERROR: Final = b'"error"'
_SIGNS: Final = (b'"error":{', b'"error": {', b'"error":"', b'"error": "')
"""Members of an error. Within JSON strings quotes are escaped, so that no text of a model looks like them."""


def reports_error(data: bytes) -> bool:
    """Whether a piece of an answer has the beginning of an error."""
    # One search is all that an ordinary piece of a stream costs.
    return _ERROR in data and any(sign in data for sign in _SIGNS)


def without_keys(body: bytes, mask: Mask) -> bytes:
    """Return a whole answer without the keys that an upstream quotes; an error is cleaned of their parts as well."""
    return mask.cover((mask.document(body) if mask and reports_error(body) else b"") or body)


class ErrorEvents:
    """Passes on a stream; from its first error on, an event is held back until its end and cleaned as a whole.

    A key may come in two pieces. Before an error, whole keys are covered where a piece has one.
    """

    __slots__ = ("_held", "_mask", "_seen")

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._held = b""
        self._seen = False

    def feed(self, chunk: bytes, *, failed: bool) -> bytes:
        """Take the next bytes and return those that can be sent; ``failed`` once the stream has had an error event."""
        if not self._seen:
            if not failed and not reports_error(chunk):
                return self._mask.cover(chunk)
            self._seen = True
        data = self._held + chunk
        end = 0
        for found in END.finditer(data):
            end = found.end()
        if len(data) - end > _LIMIT:
            end = len(data)
        self._held = data[end:]
        return self._mask.events(data[:end])

    def rest(self) -> bytes:
        """Return what is left at the end of the stream."""
        held, self._held = self._held, b""
        return self._mask.events(held)
