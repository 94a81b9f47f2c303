"""The end of a stream that reports an error: whole events, without the keys that an upstream may quote in them."""

from typing import Final

from claude_gateway_proxy.gateway.wire.sse import END
from claude_gateway_proxy.masking import Mask

_LIMIT: Final = 64 * 1024
"""Bytes of an event without its end that are held back at most."""


class ErrorEvents:
    """Holds back an event until its end, because a key in it may come in two pieces."""

    __slots__ = ("_held", "_mask")

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes of the stream and return those that can be sent."""
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
