"""The tool calls of an answer, collected from a stream of Messages events or from a whole message."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

INPUT_LIMIT: Final = 64 * 1024
"""The most characters of one call's input; a longer one is not judged, because a judge would see only a part."""

_CALL: Final = "tool_use"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call of the model. ``input`` is None if it cannot be judged: not an object, ambiguous, or too long."""

    id: str
    name: str
    input: dict[str, Any] | None = field(repr=False)


@dataclass(slots=True)
class _Open:
    id: str
    name: str
    given: Any
    parts: list[str] = field(default_factory=list)
    size: int = 0


class Collector:
    """Collects tool calls from the events of one answer, in their order."""

    def __init__(self) -> None:
        self._all: list[_Open] = []
        self._at: dict[int, _Open] = {}

    def feed(self, event: dict[str, Any]) -> None:
        """Read one event; malformed events and those that are not about tool calls are ignored."""
        index = event.get("index")
        if type(index) is not int:
            return
        block, delta = event.get("content_block"), event.get("delta")
        if isinstance(block, dict):
            self._at.pop(index, None)
            if block.get("type") == _CALL:
                self._at[index] = _Open(str(block.get("id")), name=str(block.get("name")), given=block.get("input"))
                self._all.append(self._at[index])
        elif isinstance(delta, dict) and isinstance(part := delta.get("partial_json"), str) and index in self._at:
            call = self._at[index]
            call.size += len(part)
            if call.size <= INPUT_LIMIT:
                call.parts.append(part)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls so far."""
        return tuple(ToolCall(call.id, name=call.name, input=_input(call)) for call in self._all)


def of_message(message: dict[str, Any]) -> tuple[ToolCall, ...]:
    """The tool calls of a whole message."""
    content = message.get("content")
    collector = Collector()
    for index, block in enumerate(content if isinstance(content, list) else ()):
        collector.feed({"index": index, "content_block": block})
    return collector.calls


def _input(call: _Open) -> dict[str, Any] | None:
    if call.size > INPUT_LIMIT or (call.size and call.given):
        return None
    try:
        if not call.size:
            text = json.dumps(call.given)
            return call.given if isinstance(call.given, dict) and len(text) <= INPUT_LIMIT else None
        found = json.loads("".join(call.parts), object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        # Parsers differ in which of two values they use: a judge could see another command than the one that is run.
        raise ValueError("a key comes twice")
    return found
