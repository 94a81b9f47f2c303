"""Answers of an OpenAI-compatible server in Chat Completions, piece by piece, as checks script them."""

import json
from typing import Any, Final

DONE: Final = "data: [DONE]\n\n"
_HEAD: Final = {"id": "chatcmpl-1", "created": 1_790_000_000, "model": "scripted-gpt"}


def event(data: Any) -> str:
    """Return a server-sent event with this data."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def chunk(delta: Any = None, *, finish: str | None = None) -> str:
    """Return the event of one chunk."""
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return event({**_HEAD, "object": "chat.completion.chunk", "choices": [choice]})


def text(content: str) -> str:
    """Return the event of a chunk with text."""
    return chunk({"role": "assistant", "content": content})


def call(arguments: Any, *, index: int | None = 0, ident: str | None = None, name: str | None = None) -> str:
    """Return the event of a chunk with a piece of a tool call."""
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    piece: dict[str, Any] = {"type": "function", "function": function}
    if index is not None:
        piece["index"] = index
    if ident is not None:
        piece["id"] = ident
    return chunk({"role": "assistant", "tool_calls": [piece]})


def whole(content: str | None, *, finish: str = "stop", **message: Any) -> str:
    """Return a whole answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    return json.dumps({**_HEAD, "object": "chat.completion", "choices": [choice], "usage": usage})
