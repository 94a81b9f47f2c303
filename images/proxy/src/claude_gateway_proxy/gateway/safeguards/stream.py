"""A stream of Messages events whose closing ``message_delta`` waits for verdicts; nothing else is delayed."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from claude_gateway_proxy.gateway.answer import Read
from claude_gateway_proxy.gateway.safeguards.calls import Collector, ToolCall
from claude_gateway_proxy.gateway.wire.sse import END, END_BYTES

EVENT_LIMIT: Final = 4 * 1024 * 1024
"""The most bytes of one event that are buffered while its end is missing."""

_CLOSING: Final = b"message_delta"
_OF_CALLS: Final = (b"content_block_start", b"input_json_delta")


class Guarded:
    """Reads a stream, and awaits ``verdicts`` once, before its closing ``message_delta``.

    The result becomes the member ``member`` of that event's ``delta``. A stream that ends in another way gets none.
    """

    def __init__(
        self, read: Read, head: bytes, *, member: str, verdicts: Callable[[Sequence[ToolCall]], Awaitable[Any]]
    ) -> None:
        self._upstream = read
        self._buffer = bytearray(head)
        self._searched = 0
        self._member = member
        self._verdicts = verdicts
        self._collector = Collector()
        self._closing: bytes | None = None
        self._done = False

    async def read(self) -> bytes:
        """Return the next bytes, usually whole events; empty at the end."""
        while not self._done:
            passed = self.ready()
            if passed:
                return passed
            if self._closing is not None:
                self._done = True
                event, self._closing = self._closing, None
                return await self._closed(event)
            chunk = await self._upstream()
            if not chunk:
                break
            self._buffer += chunk
        rest, self._buffer = bytes(self._buffer), bytearray()
        return rest or await self._upstream()

    def ready(self) -> bytes:
        """Return the bytes that can be sent: whole events, up to the closing one; empty if more must be read."""
        at = 0
        while self._closing is None and (end := END.search(self._buffer, max(at, self._searched))) is not None:
            event = bytes(self._buffer[at : end.end()])
            if _CLOSING in event and _closes(_data(event)):
                self._closing = event
            elif any(word in event for word in _OF_CALLS):
                self._collector.feed(_data(event))
            if self._closing is not None:
                return self._taken(at, drop=end.end() - at)
            at = end.end()
        if at == 0 and len(self._buffer) > EVENT_LIMIT:
            self._done, at = True, len(self._buffer)
        return self._taken(at)

    def _taken(self, size: int, *, drop: int = 0) -> bytes:
        """Remove this many bytes from the buffer and return them; ``drop`` more bytes are discarded."""
        taken = bytes(self._buffer[:size])
        del self._buffer[: size + drop]
        # An event's end may begin in the last bytes; the bytes before them have none.
        self._searched = 0 if drop else max(0, len(self._buffer) - END_BYTES)
        return taken

    async def _closed(self, event: bytes) -> bytes:
        data = _data(event)
        data["delta"][self._member] = await self._verdicts(self._collector.calls)
        return b"event: message_delta\ndata: " + msgspec.json.encode(data) + b"\n\n"


def _data(event: bytes) -> dict[str, Any]:
    """Return the JSON object of an event; empty if it has none."""
    lines = [line[5:].removeprefix(b" ") for line in event.splitlines() if line.startswith(b"data:")]
    try:
        found = msgspec.json.decode(b"\n".join(lines))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _closes(data: dict[str, Any]) -> bool:
    delta = data.get("delta")
    return data.get("type") == "message_delta" and isinstance(delta, dict) and delta.get("stop_reason") is not None
