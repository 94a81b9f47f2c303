"""The names of the tools that an answer calls, read from its bytes in any format while they pass."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from claude_gateway.contract.target import Format

LIMIT: Final = 1024 * 1024
"""The most bytes of a whole answer, or of a line of a stream, that are buffered; beyond that, the names are unknown."""

_SIGNS: Final = (b'"tool_use"', b'"tool_calls"', b"_call")
_CALLS: Final = ("tool_use", "function_call", "custom_tool_call")
_ENDS: Final = (b"[DONE]", b'"finish_reason":"', b'"message_stop"', b'"response.completed"')


class ToolNames:
    """Collects the names of called tools. ``names`` is None if the answer was too large to be read."""

    def __init__(self, format: Format, *, events: bool) -> None:
        """Read an answer in ``format``, streamed as server-sent ``events`` or whole."""
        self._events = events
        self._whole = format
        self._text = bytearray()
        self._names: set[str] = set()
        self._lost = False
        self.ended = False

    @property
    def names(self) -> frozenset[str] | None:
        """The names so far."""
        return None if self._lost else frozenset(self._names)

    def feed(self, chunk: bytes) -> None:
        """Read the next bytes."""
        if self._lost:
            return
        self._text += chunk
        if self._events and b"\n" in chunk:
            lines = bytes(self._text).split(b"\n")
            self._text = bytearray(lines.pop())
            for line in lines:
                self._line(line)
        if len(self._text) > LIMIT:
            self._lost = True
            self._text.clear()

    def end(self) -> None:
        """Read the end of the answer."""
        if not self._events:
            self._read(bytes(self._text))
            self.ended = True
        self._text.clear()

    def _line(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        self.ended = self.ended or any(end in line for end in _ENDS)
        if any(sign in line for sign in _SIGNS):
            self._read(line[5:])

    def _read(self, text: bytes) -> None:
        try:
            document = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if isinstance(document, dict):
            self._names.update(_names(document))


def _names(document: dict[str, Any]) -> Iterator[str]:
    """Yield the names in a whole answer or in an event: blocks of Messages, calls of Chat, items of Responses."""
    for item in (document.get("content_block"), document.get("item"), *_list(document, "content", "output")):
        if isinstance(item, dict) and item.get("type") in _CALLS and isinstance(item.get("name"), str):
            yield item["name"]
    for choice in _list(document, "choices"):
        for part in ("delta", "message"):
            said = choice.get(part) if isinstance(choice, dict) else None
            for call in _list(said, "tool_calls"):
                function = call.get("function") if isinstance(call, dict) else None
                if isinstance(function, dict) and isinstance(function.get("name"), str):
                    yield function["name"]


def _list(value: object, *keys: str) -> Iterator[Any]:
    for key in keys:
        found = value.get(key) if isinstance(value, dict) else None
        if isinstance(found, list):
            yield from found
