"""Items of the input of a client of Responses that no other format has: what they mean without them.

Codex writes the tools of its newer models, and those that a search found, into the input. Its agents write to each
other in items of their own. And a conversation that began with a model of OpenAI has what OpenAI's servers ran.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from claude_gateway_proxy.translation.responses.summaries import opened_summary

_LOADING: Final = ("additional_tools", "tool_search_output")
"""Types of items that contain tools."""

DONE: Final = (
    *_LOADING,
    *("tool_search_call", "image_generation_call", "code_interpreter_call", "file_search_call"),
    *("mcp_call", "mcp_list_tools"),
)
"""Types of items that are left out: the tools are read from them, and the rest was followed by an answer."""

_RESULTS: Final = ("function_call_output", "custom_tool_call_output")
_SUMMARIES: Final = ("compaction", "compaction_summary")
_SHELL: Final = "local_shell"
_ENCRYPTED: Final = "gAAAA"
"""The beginning of what OpenAI encrypted; agents whose model does not encrypt write text into the same field."""

_UNREADABLE: Final = "(A text that only the models of OpenAI can read.)"


def loaded_tools(items: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return the tools in the items of an input, each once: clients repeat them in every turn."""
    seen: set[bytes] = set()
    for item in items:
        tools = item.get("tools") if item.get("type") in _LOADING else None
        for tool in tools if isinstance(tools, list) else ():
            key = msgspec.json.encode(tool)
            if isinstance(tool, dict) and key not in seen:
                seen.add(key)
                yield tool


def plain_item(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an item as the message, the call or the result that it is; other items as they are."""
    kind = item.get("type")
    if kind == "agent_message":
        return {"type": "message", "role": "user", "content": _readable(item.get("content"))}
    if kind == "local_shell_call":
        call = {"type": "function_call", "call_id": item.get("call_id") or item.get("id"), "name": _SHELL}
        return {**call, "arguments": json.dumps(item.get("action"))}
    if kind == "local_shell_call_output":
        ident = item.get("call_id") or item.get("id")
        return {"type": "function_call_output", "call_id": ident, "output": item.get("output")}
    if kind in _RESULTS and isinstance(item.get("output"), list):
        return {**item, "output": _readable(item["output"])}
    return item


def plain_request(request: dict[str, Any]) -> dict[str, Any]:
    """Return a request whose input has only items that other formats have, with the loaded tools among its tools."""
    items = request.get("input")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return request
    found = {**request, "input": [_summed_up(plain_item(item)) for item in items if item.get("type") not in DONE]}
    tools = list(loaded_tools(items))
    return {**found, "tools": [*(request.get("tools") or ()), *tools]} if tools else found


def _summed_up(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a summary that this gateway wrote as a message."""
    if item.get("type") not in _SUMMARIES or (summary := opened_summary(item.get("encrypted_content"))) is None:
        return item
    return {"type": "message", "role": "user", "content": summary}


def _readable(content: object) -> object:
    """Return a content whose parts a model of another vendor can read."""
    if not isinstance(content, list):
        return content or ""
    return [_part(part) if isinstance(part, dict) else part for part in content]


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("type") != "encrypted_content":
        return part
    text = part.get("encrypted_content")
    readable = isinstance(text, str) and not text.startswith(_ENCRYPTED)
    return {"type": "input_text", "text": text if readable else _UNREADABLE}
