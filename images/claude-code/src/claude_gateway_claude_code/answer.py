"""The events of a call as an answer: a stream as Anthropic sends it, or one whole message; and its token counts."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from claude_gateway_claude_code.content import Json
from claude_gateway_claude_code.session import Event

PING: Final = b'event: ping\ndata: {"type": "ping"}\n\n'
_COUNTS: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
_TEXT: Final = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
"""The field of a block that each kind of delta adds to."""


def frame(event: Event) -> bytes:
    """Return an event as server-sent event."""
    kind, data = event
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), data)


class Usage:
    """The token counts of a call, from its first and last events."""

    def __init__(self) -> None:
        """Start without counts."""
        self.counts: dict[str, int] = {}
        self.model: str | None = None
        self.stop_reason: str | None = None

    def note(self, event: Event) -> None:
        """Record the counts of an event that has any."""
        kind, data = event
        if kind == "message_start":
            message = _message(msgspec.json.decode(data))
            self.model = str(message.get("model"))
            self._count(message.get("usage"))
        elif kind == "message_delta":
            found = msgspec.json.decode(data)
            self.stop_reason = found.get("delta", {}).get("stop_reason")
            self._count(found.get("usage"))

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self.counts |= {name: usage[name] for name in _COUNTS if isinstance(usage.get(name), int)}


class Whole:
    """Collects the events of a call into one message."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._message: Json = {}
        self._blocks: dict[int, Json] = {}
        self._parts: dict[int, dict[str, list[str]]] = {}
        self._citations: dict[int, list[Any]] = {}

    def add(self, event: Event) -> None:
        """Take the next event; unknown kinds add nothing."""
        kind, data = event
        if kind == "message_start":
            self._message = _message(msgspec.json.decode(data))
        elif kind == "content_block_start":
            found = msgspec.json.decode(data)
            self._blocks[found["index"]] = dict(found["content_block"])
            self._parts[found["index"]] = {}
        elif kind == "content_block_delta":
            found = msgspec.json.decode(data)
            self._add_delta(found["index"], found["delta"])
        elif kind == "message_delta":
            found = msgspec.json.decode(data)
            self._message |= found.get("delta", {})
            self._message["usage"] = {**self._message.get("usage", {}), **(found.get("usage") or {})}
            self._message |= {key: value for key, value in found.items() if key not in ("type", "delta", "usage")}

    def message(self) -> bytes:
        """Return the whole message as JSON."""
        content = [self._block(index) for index in sorted(self._blocks)]
        return msgspec.json.encode({**self._message, "content": content})

    def _add_delta(self, index: int, delta: Mapping[str, Any]) -> None:
        parts = self._parts.setdefault(index, {})
        kind = delta.get("type")
        if kind == "input_json_delta":
            parts.setdefault("input", []).append(delta.get("partial_json", ""))
        elif kind == "citations_delta":
            self._citations.setdefault(index, []).append(delta.get("citation"))
        elif kind in _TEXT:
            name = _TEXT[kind]
            parts.setdefault(name, []).append(delta.get(name, ""))

    def _block(self, index: int) -> Json:
        block = dict(self._blocks[index])
        if index in self._citations:
            block["citations"] = self._citations[index]
        for name, parts in self._parts[index].items():
            text = "".join(parts)
            if name != "input":
                block[name] = block.get(name, "") + text
            elif text:
                block[name] = _arguments(text)
        return block


def _message(start: Json) -> Json:
    message = start.get("message")
    return dict(message) if isinstance(message, dict) else {}


def _arguments(text: str) -> Any:
    """The arguments of a call; those that ``max_tokens`` cut off are not JSON, and stay text."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {"INVALID_JSON": text}
