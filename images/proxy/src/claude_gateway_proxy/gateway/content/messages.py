"""Messages of any format in the form of OpenTelemetry's conventions for generative AI: a role, and a list of parts.

Media are named and not shown. Source: the JSON schemas of ``gen_ai.input.messages``, ``gen_ai.output.messages`` and
``gen_ai.system_instructions``.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.body.document import Body
from claude_gateway_proxy.gateway.content.room import Room

Json = dict[str, Any]

_CONVERSATIONS: Final = {
    Format.MESSAGES: "messages",
    Format.CHAT: "messages",
    Format.RESPONSES: "input",
    Format.COMPLETIONS: "prompt",
}
"""The field of a request that is shown; what other formats send is not a conversation."""
_INSTRUCTIONS: Final = {Format.MESSAGES: "system", Format.RESPONSES: "instructions"}
_TEXTS: Final = frozenset({"text", "input_text", "output_text", "summary_text", "reasoning_text"})
_CALLS: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use", "function_call", "custom_tool_call"})
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


def shown(format: Format) -> bool:
    """Return whether requests of a format have a conversation."""
    return format in _CONVERSATIONS


def instructions(body: Body, format: Format, room: Room) -> list[Json]:
    """Return the parts of the instructions that a request has outside of its conversation."""
    text = body.value(_INSTRUCTIONS.get(format, ""))
    try:
        return [] if text is None else list(parts(msgspec.json.decode(text), room))
    except _UNREADABLE:
        room.cut = True
        return []


def conversation(body: Body, format: Format, room: Room) -> list[Json]:
    """Return the messages of a request, or only the newest if not all fit; others are not decoded."""
    text = body.value(_CONVERSATIONS[format]) or b"[]"
    try:
        items: Sequence[Any] = _ITEMS.decode(text) if text.startswith(b"[") else [msgspec.Raw(text)]
        found = []
        for item in reversed(items):
            if not room.enter():
                break
            found.append(message(msgspec.json.decode(item), room))
    except _UNREADABLE:
        room.cut = True
        return []
    return found[::-1]


def message(item: object, room: Room) -> Json:
    """Return one message of Messages or Chat, one item of Responses, or one prompt."""
    if not isinstance(item, dict):
        return {"role": "user", "parts": list(parts(item, room))}
    kind = str(item.get("type") or "")
    role = item.get("role")
    if kind.endswith("_output"):
        return {"role": "tool", "parts": list(_answer(item.get("call_id"), item.get("output"), room))}
    if role in ("tool", "function"):
        return {"role": "tool", "parts": list(_answer(item.get("tool_call_id"), item.get("content"), room))}
    found = list(_said(item, kind, room))
    return {"role": room.name(role) if isinstance(role, str) else "assistant", "parts": found}


def parts(content: object, room: Room) -> Iterator[Json]:
    """Yield the parts of a content: a text, or a list of blocks."""
    for block in content if isinstance(content, list) else [content]:
        if isinstance(block, str) and room.enter():
            yield {"type": "text", "content": room.text(block)}
        elif isinstance(block, dict):
            yield from _part(block, room)


def _said(item: Json, kind: str, room: Room) -> Iterator[Json]:
    """Yield the text, thinking and tool calls of a message or an item."""
    for name in ("reasoning_content", "reasoning"):
        thought = item.get(name)
        if isinstance(thought, str) and thought and room.enter():
            yield {"type": "reasoning", "content": room.text(thought)}
    if kind not in ("", "message"):
        yield from _part(item, room)
    elif item.get("content") is not None:
        yield from parts(item["content"], room)
    calls = item.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") or call.get("custom") if isinstance(call, dict) else None
        if isinstance(function, dict) and room.enter():
            given = function.get("arguments") or function.get("input")
            yield _call(call.get("id"), function.get("name"), given, room)


def _part(block: Json, room: Room) -> Iterator[Json]:
    """Yield the parts of one block."""
    kind = str(block.get("type") or "")
    if not room.enter():
        return
    if kind in _TEXTS:
        yield {"type": "text", "content": room.text(block.get("text"))}
    elif kind == "refusal":
        yield {"type": "text", "content": room.text(block.get("refusal"))}
    elif kind == "thinking":
        yield {"type": "reasoning", "content": room.text(block.get("thinking"))}
    elif kind == "reasoning":
        thoughts = [*(block.get("summary") or ()), *(block.get("content") or ())]
        texts = [str(each.get("text") or "") for each in thoughts if isinstance(each, dict)]
        yield {"type": "reasoning", "content": room.text("\n".join(texts))}
    elif kind in _CALLS:
        given = block.get("input", block.get("arguments"))
        yield _call(block.get("call_id") or block.get("id"), block.get("name"), given, room)
    elif kind.endswith("tool_result"):
        yield from _answer(block.get("tool_use_id"), block.get("content"), room)
    else:
        yield {"type": room.name(kind) or "unknown"}


def _call(ident: object, name: object, given: object, room: Room) -> Json:
    if isinstance(given, str):
        # OpenAI's formats have them as JSON in a text.
        with suppress(*_UNREADABLE):
            given = msgspec.json.decode(given)
    return {"type": "tool_call", "id": room.name(ident), "name": room.name(name), "arguments": room.json(given)}


def _answer(ident: object, content: object, room: Room) -> Iterator[Json]:
    """Yield the result of a tool: its text, or a list of parts."""
    if room.enter():
        said = room.text(content) if isinstance(content, str) else list(parts(content, room))
        yield {"type": "tool_call_response", "id": room.name(ident), "response": said}
