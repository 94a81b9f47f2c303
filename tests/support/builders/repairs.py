"""Refusals of upstreams, and requests that are refused."""

from typing import Any

from claude_gateway_proxy.translation.refusal import Refusal
from claude_gateway_proxy.translation.repair import Model, Repairs

MODEL = Model("t", "openai/m")
CHAT: dict[str, Any] = {
    "messages": [{"role": "user", "content": "hi"}],
    "max_tokens": 100,
    "temperature": 0.2,
    "top_p": 0.9,
    "stop": list("abcde"),
    "parallel_tool_calls": False,
    "stream_options": {"include_usage": True},
    "reasoning_effort": "xhigh",
    "tool_choice": "required",
}


def memory() -> Repairs:
    """Repairs in an hour that does not pass."""
    return Repairs(clock=lambda: 0.0)


def refusal(words: str) -> Refusal:
    return Refusal(400, words)


def known(repairs: Repairs, fields: dict[str, Any], model: Model = MODEL) -> dict[str, Any]:
    return repairs.known(model, fields)[0]
