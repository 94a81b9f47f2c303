"""The answer that a client got, whole or streamed, in any format, as messages of OpenTelemetry's conventions."""

from typing import Any, Final

import msgspec

from claude_gateway_proxy.gateway.content.messages import Json, message
from claude_gateway_proxy.gateway.content.room import Room
from claude_gateway_proxy.translation.bad_answer import BadAnswer
from claude_gateway_proxy.translation.documents import Documents

_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_context_window_exceeded": "length",
    "incomplete": "length",
    "tool_use": "tool_call",
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "refusal": "content_filter",
    "failed": "error",
}
"""Why an answer ended, in the conventions' words; other words stay as they are."""
_DELTAS: Final = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "input"}
_SAID: Final = ("content", "reasoning_content", "reasoning")


def answers(body: bytes, room: Room) -> list[Json]:
    """Return one message per choice of an answer, as far as it arrived; empty if it is not an answer."""
    reader, found = Documents(), _Answer()
    try:
        for document in (*reader.feed(body), *reader.end()):
            found.read(document)
    except (BadAnswer, msgspec.MsgspecError, UnicodeError, RecursionError):
        # The part before it is shown.
        room.cut = True
    return found.messages(room)


class _Choice:
    """One choice while its pieces arrive: blocks or items by their index, or a message of Chat."""

    def __init__(self) -> None:
        self.items: dict[int, Json] = {}
        self.pieces: dict[tuple[object, str], list[str]] = {}
        self.calls: dict[object, Json] = {}
        self.reason = ""

    def add(self, key: object, name: str, text: object) -> None:
        if isinstance(text, str) and text:
            self.pieces.setdefault((key, name), []).append(text)

    def message(self, room: Room) -> Json:
        """Return the choice as one message."""
        found: list[Json] = []
        for index in sorted({*self.items, *(key for key, _ in self.pieces if isinstance(key, int))}):
            item = {**self.items.get(index, {"type": "text"})}
            for name in _DELTAS.values():
                if (index, name) in self.pieces:
                    item[name] = "".join(self.pieces[index, name])
            found.append(item)
        chat: Json = {name: "".join(pieces) for (key, name), pieces in self.pieces.items() if key is None}
        calls = [
            {"id": call.get("id"), "function": {"name": call.get("name"), "arguments": "".join(call["arguments"])}}
            for call in self.calls.values()
        ]
        if chat or calls:
            found.append({**chat, "role": "assistant", "tool_calls": calls})
        parts = [part for each in found if room.enter() for part in message(_as_item(each), room)["parts"]]
        return {"role": "assistant", "parts": parts, "finish_reason": _REASONS.get(self.reason, room.name(self.reason))}


def _as_item(item: Json) -> Json:
    """Return a block of Messages as the content of a message; items of Responses are messages themselves."""
    return item if "role" in item or item.get("type") == "message" else {"content": [item]}


class _Answer:
    """Reads the documents of one answer."""

    def __init__(self) -> None:
        self._choices: dict[object, _Choice] = {}

    def messages(self, room: Room) -> list[Json]:
        """Return what was read."""
        return [choice.message(room) for choice in self._choices.values()]

    def read(self, document: Json) -> None:
        """Read a whole answer, or one event or chunk."""
        choices = document.get("choices")
        if isinstance(choices, list):
            for choice in choices:
                if isinstance(choice, dict):
                    self._chat(self._choice(choice.get("index")), choice)
            return
        kind = document.get("type")
        if kind == "message" or document.get("object") == "response":
            self._whole(self._choice(0), document)
        elif isinstance(kind, str):
            self._event(self._choice(0), kind, document)

    def _choice(self, index: object) -> _Choice:
        return self._choices.setdefault(index if isinstance(index, int) else 0, _Choice())

    def _chat(self, choice: _Choice, document: Json) -> None:
        said = document.get("delta") or document.get("message")
        choice.reason = str(document.get("finish_reason") or choice.reason)
        choice.add(None, "content", document.get("text"))
        if not isinstance(said, dict):
            return
        for name in _SAID:
            choice.add(None, name, said.get(name))
        calls = said.get("tool_calls")
        for number, call in enumerate(calls if isinstance(calls, list) else ()):
            function = call.get("function") if isinstance(call, dict) else None
            if isinstance(function, dict):
                known = choice.calls.setdefault(call.get("index", number), {"arguments": []})
                known["id"] = call.get("id") or known.get("id")
                known["name"] = function.get("name") or known.get("name")
                known["arguments"].append(str(function.get("arguments") or ""))

    def _whole(self, choice: _Choice, document: Json) -> None:
        said = document.get("content") or document.get("output")
        for index, item in enumerate(said if isinstance(said, list) else ()):
            if isinstance(item, dict):
                choice.items[index] = item
        choice.reason = str(document.get("stop_reason") or document.get("status") or choice.reason)

    def _event(self, choice: _Choice, kind: str, event: Json) -> None:
        delta: Any = event.get("delta")
        if kind == "content_block_start" and isinstance(event.get("content_block"), dict):
            choice.items[_index(event.get("index"))] = event["content_block"]
        elif kind == "content_block_delta" and isinstance(delta, dict):
            name = _DELTAS.get(str(delta.get("type")))
            if name is not None:
                text = delta.get("partial_json") if name == "input" else delta.get(name)
                choice.add(_index(event.get("index")), name, text)
        elif kind == "message_delta" and isinstance(delta, dict):
            choice.reason = str(delta.get("stop_reason") or choice.reason)
        elif kind == "response.output_text.delta":
            choice.add(_index(event.get("output_index")), "text", delta)
        elif kind == "response.output_item.done" and isinstance(event.get("item"), dict):
            index = _index(event.get("output_index"))
            choice.items[index] = event["item"]
            choice.pieces.pop((index, "text"), None)
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            response = event.get("response")
            choice.reason = str(response.get("status") or "") if isinstance(response, dict) else choice.reason


def _index(value: object) -> int:
    return value if isinstance(value, int) else 0
