"""Thinking of other models in a conversation that goes on with Claude, which refuses what it has not signed itself."""

from typing import Any

import msgspec

from claude_gateway_proxy.gateway.body.document import Body
from claude_gateway_proxy.translation.thinking import MARK, is_ours

_MARK = MARK.encode()
_MESSAGES = msgspec.json.Decoder(list[msgspec.Raw])
_MESSAGE = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Block(msgspec.Struct):
    type: Any = None
    signature: Any = None


_BLOCK = msgspec.json.Decoder(_Block)


def without_foreign_thinking(body: Body) -> dict[str, bytes]:
    """The change of ``messages`` that a Claude needs, as JSON text; none for a conversation that is all Claude's.

    Every other block keeps its bytes. A turn that was nothing but such thinking is left out.
    """
    span = body.members.get("messages")
    # Looked for where it lies: every request to a Claude comes by here, and a value is a copy that was made readable.
    if span is None or body.raw.find(_MARK, *span) < 0:
        return {}
    try:
        messages = [_kept(message) for message in _MESSAGES.decode(body.value("messages") or b"[]")]
    except msgspec.ValidationError:
        return {}
    return {"messages": msgspec.json.encode([message for message in messages if message is not None])}


def _kept(message: msgspec.Raw) -> msgspec.Raw | dict[str, Any] | None:
    if _MARK not in bytes(message):
        return message
    fields: dict[str, Any] = {**_MESSAGE.decode(message)}
    try:
        blocks = _MESSAGES.decode(fields.get("content", msgspec.Raw(b"null")))
    except msgspec.ValidationError:
        return message
    kept = [block for block in blocks if not _is_foreign(block)]
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
