"""Requests of OpenAI's clients, and what they become as Messages."""

from collections.abc import Callable
from typing import Any

import pytest

from claude_gateway_proxy.translation.chat.client_request import messages_request as of_chat
from claude_gateway_proxy.translation.claude.options import Target
from claude_gateway_proxy.translation.responses.client_request import messages_request as of_responses

OLD, BUDGET, ADAPTIVE, NEWEST = "claude-3-5-haiku", "claude-sonnet-4-5", "claude-opus-4-6", "claude-sonnet-5-5"
USER = {"role": "user", "content": "hi"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}
TOOL = {"type": "function", "name": "weather", "description": "d", "parameters": SCHEMA}
CLAUDES = {"name": "weather", "description": "d", "input_schema": SCHEMA}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjcK"


def target(model: str = BUDGET, **more: Any) -> Target:
    """Return a Claude as a target."""
    return Target(model, model, **more)


def chat(*messages: Any, model: str = BUDGET, **fields: Any) -> dict[str, Any]:
    """Return what a request of Chat Completions becomes."""
    return of_chat({"messages": list(messages or [USER]), **fields}, target=target(model)).body


def responses(*items: Any, model: str = BUDGET, **fields: Any) -> dict[str, Any]:
    """Return what a request of Responses becomes."""
    return of_responses({"input": list(items or [USER]), **fields}, target=target(model)).body


def call(ident: str, arguments: str = "{}", name: str = "weather") -> dict[str, Any]:
    """Return a call as a message of Chat Completions has it."""
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


def kinds(body: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the role of each turn and the types of its blocks."""
    return [(turn["role"], [block["type"] for block in turn["content"]]) for turn in body["messages"]]


BOTH = pytest.mark.parametrize("ask", [chat, responses])
"""Runs a test with requests of both formats."""
Ask = Callable[..., dict[str, Any]]
