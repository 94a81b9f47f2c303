"""Answers of a Claude, and what the writers of OpenAI's formats make of them."""

import json
from collections.abc import Iterator
from typing import Any

from claude_gateway_proxy.translation.chat.client_answer import ChatWriter
from claude_gateway_proxy.translation.chat.client_request import messages_request as of_chat
from claude_gateway_proxy.translation.claude.options import Target
from claude_gateway_proxy.translation.claude.reader import Reader
from claude_gateway_proxy.translation.responses.client_answer import ResponsesWriter
from claude_gateway_proxy.translation.responses.client_request import messages_request as of_responses

TARGET = Target("claude-sonnet-4-5", "claude-sonnet-4-5")
USER = {"role": "user", "content": "hi"}
USAGE = {
    "input_tokens": 10,
    "cache_read_input_tokens": 5,
    "cache_creation_input_tokens": 3,
    "output_tokens": 7,
    "output_tokens_details": {"thinking_tokens": 2},
}
THOUGHT = {"type": "thinking", "thinking": "let me see", "signature": "c2ln"}
TEXT = {"type": "text", "text": "Hello Ünïcode 😀"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Wien"}}
SEARCH = [
    {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "q"}},
    {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []},
]
CITED = {"type": "text", "text": "said", "citations": [{"type": "x", "url": "https://a.example", "title": "A"}]}


def message(*blocks: Any, stop: str = "end_turn", **more: Any) -> dict[str, Any]:
    content = list(blocks)
    return {"type": "message", "model": "claude-x", "content": content, "stop_reason": stop, "usage": USAGE, **more}


def documents(whole: dict[str, Any], *, size: int = 3) -> Iterator[dict[str, Any]]:
    """The events of a message, its pieces of ``size`` characters."""
    yield {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}
    yield {"type": "ping"}
    for index, block in enumerate(whole["content"]):
        kind = block["type"]
        pieces = {"text": block.get("text"), "thinking": block.get("thinking")}
        if kind.endswith("tool_use"):
            pieces["partial_json"] = json.dumps(block["input"])
        started = {**block, **{key: "" for key in ("text", "thinking", "signature") if key in block}}
        started.pop("citations", None)
        yield {"type": "content_block_start", "index": index, "content_block": {**started, "input": {}}}
        for key, text in pieces.items():
            name = {"text": "text_delta", "thinking": "thinking_delta", "partial_json": "input_json_delta"}[key]
            for at in range(0, len(text or ""), size):
                yield {
                    "type": "content_block_delta",
                    "index": index,
                    "delta": {"type": name, key: text[at : at + size]},
                }
        for citation in block.get("citations", ()):
            yield {
                "type": "content_block_delta",
                "index": index,
                "delta": {"type": "citations_delta", "citation": citation},
            }
        if "signature" in block:
            delta = {"type": "signature_delta", "signature": block["signature"]}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": whole["stop_reason"], "stop_details": whole.get("stop_details")}
    yield {"type": "message_delta", "delta": delta, "usage": whole["usage"]}
    yield {"type": "message_stop"}


def chat_writer(**fields: Any) -> ChatWriter:
    return ChatWriter(of_chat({"messages": [USER], **fields}, target=TARGET), model="m", created=1)


def responses_writer(**fields: Any) -> ResponsesWriter:
    asked = of_responses({"input": "hi", "reasoning": {"summary": "auto"}, **fields}, target=TARGET)
    return ResponsesWriter(asked, model="m", created=1)


def streamed(writer: ChatWriter | ResponsesWriter, answer: dict[str, Any], *, size: int = 3) -> list[dict[str, Any]]:
    reader = Reader(writer)
    parts = [reader.document(each) for each in documents(answer, size=size)]
    assert reader.ended
    lines = b"".join([*parts, reader.end()]).decode().split("\n\n")
    data = [line.rpartition("data: ")[2] for line in lines if line]
    return [json.loads(each) for each in data if each != "[DONE]"]


def whole(writer: ChatWriter | ResponsesWriter, answer: dict[str, Any]) -> dict[str, Any]:
    reader = Reader(writer)
    reader.document(answer)
    reader.end()
    return writer.document


def joined(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that chunks add up to, as a client does it."""
    found: dict[str, Any] = {"content": "", "calls": {}}
    for chunk in chunks:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            for key in ("content", "reasoning_content"):
                found[key] = found.get(key, "") + (delta.get(key) or "")
            for call in delta.get("tool_calls", ()):
                kept = found["calls"].setdefault(call["index"], {"id": call.get("id"), "text": ""})
                kept["text"] += call.get("function", {}).get("arguments", "") + call.get("custom", {}).get("input", "")
            found["finish"] = choice["finish_reason"] or found.get("finish")
    return found
