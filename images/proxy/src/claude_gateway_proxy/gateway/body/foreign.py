"""Thinking of other models in a conversation that continues with Claude, which rejects what it has not signed."""

import re
from typing import Any

import msgspec

from claude_gateway_proxy.gateway.body.document import Body
from claude_gateway_proxy.translation.thinking import MARK, is_ours

_MARK = MARK.encode()
_FOUND = re.compile(re.escape(_MARK))
"""In text with many of the same letters, a pattern is found faster than the literal bytes."""
_MESSAGES = msgspec.json.Decoder(list[msgspec.Raw])
_MESSAGE = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Block(msgspec.Struct):
    type: Any = None
    signature: Any = None


_BLOCK = msgspec.json.Decoder(_Block)


def without_foreign_thinking(body: Body) -> dict[str, bytes]:
    """Return the change of ``messages`` that a Claude model needs, as JSON text; empty if Claude wrote all of it.

    Every other block keeps its bytes. A turn that was nothing but such thinking is left out.
    """
    span = body.members.get("messages")
    # Searched in the raw body, because every request to Claude passes here, and reading a value copies it.
    if span is None or _FOUND.search(body.raw, *span) is None:
        return {}
    try:
        messages = [_kept(message) for message in _MESSAGES.decode(body.value("messages") or b"[]")]
    except msgspec.ValidationError:
        return {}
    return {"messages": msgspec.json.encode([message for message in messages if message is not None])}


def without_thinking(body: Body) -> dict[str, bytes | None]:
    """Return the changes that remove all thinking from a conversation, for a Claude that did not sign it.

    With a thinking budget, a turn that calls tools must begin with thinking, so thinking is disabled for the current
    turn.
    """
    try:
        messages = _MESSAGES.decode(body.value("messages") or b"[]")
    except msgspec.ValidationError:
        return {}
    kept = [_kept(message, any_thinking=True) for message in messages]
    if all(new is old for new, old in zip(kept, messages, strict=True)):
        return {}
    left = [message for message in kept if message is not None]
    changes: dict[str, bytes | None] = {"messages": msgspec.json.encode(left)}
    if b'"tool_result"' in bytes(messages[-1]):
        changes |= {name: None for name in ("thinking", "context_management") if name in body.members}
    return changes


def _kept(message: msgspec.Raw, *, any_thinking: bool = False) -> msgspec.Raw | dict[str, Any] | None:
    if (b"thinking" if any_thinking else _MARK) not in bytes(message):
        return message
    fields: dict[str, Any] = {**_MESSAGE.decode(message)}
    try:
        blocks = _MESSAGES.decode(fields.get("content", msgspec.Raw(b"null")))
    except msgspec.ValidationError:
        return message
    kept = [block for block in blocks if not (_is_thinking(block) if any_thinking else _is_foreign(block))]
    if len(kept) == len(blocks):
        return message
    return {**fields, "content": kept} if kept else None


def _is_foreign(block: msgspec.Raw) -> bool:
    if _MARK not in bytes(block):
        return False
    try:
        found = _BLOCK.decode(block)
    except msgspec.ValidationError:
        return False
    return found.type == "thinking" and is_ours(found.signature)


def _is_thinking(block: msgspec.Raw) -> bool:
    try:
        return _BLOCK.decode(block).type in ("thinking", "redacted_thinking")
    except msgspec.ValidationError:
        return False
