"""Requests in OpenAI's formats for providers of other formats, where LiteLLM's translation does not fit them.

For Claude, LiteLLM drops the request for JSON without a schema and keeps temperatures that Claude rejects.
Gemini knows a part of OpenAPI's schemas only. And for each ``cache_control``, LiteLLM asks Google for stored caches and
makes one that the caller pays for by the hour, where Gemini caches by itself.
"""

from collections.abc import Callable
from typing import Any, Final

from claude_gateway.contract.target import Format, ToolSchema
from claude_gateway_proxy.capabilities import capabilities
from claude_gateway_proxy.litellm import schemas
from claude_gateway_proxy.litellm.content import CLAUDES, OPENAI
from claude_gateway_proxy.litellm.targets import Target
from claude_gateway_proxy.translation.changes import without
from claude_gateway_proxy.translation.documents import Document
from claude_gateway_proxy.translation.responses.history import plain_request
from claude_gateway_proxy.translation.schema.values import Schema
from claude_gateway_proxy.translation.stand_ins import with_described_json

_HINT: Final = "cache_control"
_LISTS: Final = ("messages", "input", "tools", "content", "output")
"""Fields whose objects may have a hint; what lies in arguments and schemas is the caller's own."""
_DEPTH: Final = 4
"""Levels of the request down to a part of a message."""


def fitted(fields: Document, *, format: Format, target: Target) -> Document:
    """Return a request in one of OpenAI's formats as the target's provider takes it. ``fields`` are not changed."""
    if target.provider not in OPENAI:
        fields = without(fields, ("max_tool_calls",))
    if target.provider in CLAUDES:
        fields = with_described_json(_cooled(fields))
    accepted = target.translation.chat
    if accepted is None or accepted.tool_schema is not ToolSchema.GEMINI:
        return fields
    found: Document = _unhinted(fields, _DEPTH)
    if isinstance(found.get("tools"), list):
        schema = capabilities(accepted, schemas.current()).schema
        found["tools"] = [_tool(tool, format=format, schema=schema) for tool in found["tools"]]
    return found


def plain(fields: Document, *, format: Format, provider: str) -> Document:
    """Return a request of Responses without items that only OpenAI's own models have, for any other provider."""
    return plain_request(fields) if format is Format.RESPONSES and provider not in OPENAI else fields


def _cooled(fields: Document) -> Document:
    """Claude's scale of temperatures ends at 1, OpenAI's at 2."""
    given = fields.get("temperature")
    return {**fields, "temperature": 1} if isinstance(given, int | float) and given > 1 else fields


def _unhinted(value: Any, depth: int) -> Any:
    """Leave out the hints of this object and of those in its lists; what has none is not copied."""
    if not isinstance(value, dict) or depth == 0:
        return value
    found = {name: each for name, each in value.items() if name != _HINT}
    for name in _LISTS:
        inner = found.get(name)
        if isinstance(inner, list):
            found[name] = [_unhinted(each, depth - 1) for each in inner]
    function = found.get("function")
    if isinstance(function, dict) and _HINT in function:
        found["function"] = {name: each for name, each in function.items() if name != _HINT}
    return found


def _tool(tool: Any, *, format: Format, schema: Callable[[object], Schema]) -> Any:
    """Return a tool with a schema that Gemini accepts."""
    if not isinstance(tool, dict):
        return tool
    if tool.get("type") == "namespace" and isinstance(tool.get("tools"), list):
        return {**tool, "tools": [_tool(each, format=format, schema=schema) for each in tool["tools"]]}
    if format is Format.CHAT:
        function = tool.get("function")
        return {**tool, "function": _function(function, schema)} if isinstance(function, dict) else tool
    return _function(tool, schema) if tool.get("type") == "function" else tool


def _function(function: Document, schema: Callable[[object], Schema]) -> Document:
    return {**function, "parameters": schema(function.get("parameters"))}
