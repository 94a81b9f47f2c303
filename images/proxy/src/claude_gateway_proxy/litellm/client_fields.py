"""Requests of OpenAI's clients, made regular before LiteLLM reads them: it fails on what it does not know, or drops it.

Clients of several formats write tools, choices and texts in the shape of another one; what they mean is plain.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from claude_gateway_proxy.litellm.errors import bad_request
from claude_gateway_proxy.translation.arguments import arguments
from claude_gateway_proxy.translation.documents import Document

_TEXTS: Final = ("input_text", "output_text")
_MODES: Final = {"auto": "auto", "none": "none", "required": "required", "any": "required"}


def chat(document: Document) -> Document:
    """Return a normalized request of Chat Completions. Raises Failure (400)."""
    found = {**document}
    messages = document.get("messages")
    if messages == []:
        raise bad_request("messages: at least one message is required")
    if isinstance(messages, list):
        found["messages"] = [_message(each, at=f"messages.{at}") for at, each in enumerate(messages)]
    if isinstance(document.get("tools"), list):
        found["tools"] = [_chat_tool(each) for each in document["tools"]]
    if isinstance(document.get("tool_choice"), dict):
        found |= _choice(document["tool_choice"], found)
    if isinstance(document.get("stop"), list):
        found["stop"] = [each for each in document["stop"] if each != ""] or None
    return found


def responses(document: Document) -> Document:
    """Return a normalized request of Responses. Raises Failure (400)."""
    if document.get("input") == [] and not document.get("instructions"):
        raise bad_request("input: at least one item is required")
    tools = document.get("tools")
    return {**document, "tools": [_flat_tool(each) for each in tools]} if isinstance(tools, list) else document


def _message(message: Any, *, at: str) -> Any:
    if not isinstance(message, dict):
        return message
    content, calls = message.get("content"), message.get("tool_calls")
    changed: Document = {}
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        if any(part.get("type") in _TEXTS for part in content):
            changed["content"] = [{**part, "type": "text"} if part.get("type") in _TEXTS else part for part in content]
    elif content is not None and not isinstance(content, str):
        raise bad_request(f"{at}.content: must be a string or a list of objects")
    if isinstance(calls, list):
        changed["tool_calls"] = [_call(each) for each in calls]
    return {**message, **changed} if changed else message


def _call(call: Any) -> Any:
    """Return a call of the history; LiteLLM fails on arguments that are not an object, such as truncated ones."""
    function = call.get("function") if isinstance(call, dict) else None
    given = function.get("arguments") if isinstance(function, dict) else None
    if not isinstance(given, str) or not given.strip():
        return call
    read = arguments(given)
    if function is None or ("arguments" not in read and read):
        return call
    return {**call, "function": {**function, "arguments": json.dumps(read)}}


def _chat_tool(tool: Any) -> Any:
    """A tool of Responses' or of Messages' shape in that of Chat."""
    if not isinstance(tool, dict):
        return tool
    if isinstance(tool.get("function"), dict):
        return {**tool, "type": "function"} if tool.get("type") is None else tool
    is_claudes = tool.get("type") in (None, "custom") and isinstance(tool.get("input_schema"), dict)
    if not isinstance(tool.get("name"), str) or not (is_claudes or tool.get("type") == "function"):
        return tool
    kept = {name: tool[name] for name in ("name", "description", "parameters", "strict") if tool.get(name) is not None}
    return {"type": "function", "function": {**kept, "parameters": tool["input_schema"]} if is_claudes else kept}


def _flat_tool(tool: Any) -> Any:
    """A tool of Chat's shape in that of Responses."""
    inner = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(inner, dict) or "name" in tool:
        return tool
    return {**{name: value for name, value in tool.items() if name != "function"}, **inner}


def _choice(given: Mapping[str, Any], fields: Document) -> Document:
    """``tool_choice`` as a word or a function; ``allowed_tools`` leaves some of the tools. Raises Failure (400)."""
    kind = given.get("type")
    if kind == "allowed_tools":
        return _allowed(given.get(kind, given), fields)
    if isinstance(kind, str) and kind in _MODES:
        return {"tool_choice": _MODES[kind]}
    name = given.get("name")
    if kind in (None, "tool", "function") and isinstance(name, str) and "function" not in given:
        return {"tool_choice": {"type": "function", "function": {"name": name}}}
    return {}


def _allowed(allowed: Any, fields: Document) -> Document:
    listed, mode = (allowed.get("tools"), allowed.get("mode")) if isinstance(allowed, dict) else (None, None)
    if mode not in ("auto", "required") or not isinstance(listed, list):
        raise bad_request("tool_choice: allowed_tools needs a mode (auto or required) and tools")
    names = {_name(each) for each in listed}
    left = [tool for tool in fields.get("tools") or () if _name(tool) in names]
    if not left:
        raise bad_request("tool_choice: allowed_tools leaves none of the tools")
    return {"tools": left, "tool_choice": mode}


def _name(tool: Any) -> Any:
    if not isinstance(tool, dict):
        return None
    inner = tool.get(tool.get("type"), tool) if isinstance(tool.get("type"), str) else tool
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else None
