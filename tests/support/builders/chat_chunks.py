"""Chunks of Chat Completions, and what the reader makes of them."""

from typing import Any

import msgspec

from claude_gateway_proxy.translation.chat.answer import ChatReader
from claude_gateway_proxy.translation.messages.events import Message, assembled
from claude_gateway_proxy.translation.messages.options import RequestOptions, Thinking
from claude_gateway_proxy.translation.messages.writer import Writer

OPTIONS = RequestOptions(model="m", thinking=Thinking(wanted=True))


def delta(said: Any = None, finish: Any = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": said, "finish_reason": finish}], **more}


def piece(index: Any = 0, ident: Any = None, name: Any = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    return {"index": index, "id": ident, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def called(*pieces: Any, finish: Any = None) -> dict[str, Any]:
    return delta({"tool_calls": list(pieces)}, finish)


def answer(*chunks: Any, options: RequestOptions = OPTIONS) -> Message:
    """The message of a stream of chunks."""
    writer = Writer(options)
    reader = ChatReader(writer)
    events = [writer.start()]
    for chunk in chunks:
        events += reader.chunk(chunk)
    return assembled([*events, *reader.end()])


def said(message: Message) -> list[tuple[Any, ...]]:
    """What a message says: its texts, reasoning and calls."""
    return [
        (block["type"], block["name"], block["input"])
        if block["type"] == "tool_use"
        else (block["type"], block[block["type"]])
        for block in msgspec.to_builtins(message.content)
    ]


STOP = delta({}, "stop")
DONE = delta({}, "tool_calls")
