"""Which tools reach LiteLLM: those that the caller runs, and those that a provider is known to run.

LiteLLM runs some tools by itself: it searches files, calls MCP servers and other models, which no client may trigger.
It drops others or fails on them. So unlisted tools are rejected, whatever LiteLLM supports in the future.
"""

from collections.abc import Mapping
from typing import Any, Final

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm.content import OPENAI
from claude_gateway_proxy.litellm.errors import bad_request

_OF_CALLER: Final[Mapping[Format, frozenset[str | None]]] = {
    Format.MESSAGES: frozenset({None, "custom"}),
    Format.COUNT_TOKENS: frozenset({None, "custom"}),
    Format.CHAT: frozenset({"function"}),
    # LiteLLM omits the last two, which has the same effect as a model that never calls them; clients always send them.
    Format.RESPONSES: frozenset(
        {"function", "custom", "namespace", "web_search", "web_search_preview", "image_generation", "tool_search"}
    ),
}

_OF_OPENAI: Final[Mapping[Format, frozenset[str | None]]] = {
    Format.CHAT: frozenset({"function", "custom"}),
    Format.RESPONSES: _OF_CALLER[Format.RESPONSES]
    | {"web_search_2025_08_26", "web_search_preview_2025_03_11", "code_interpreter", "file_search", "apply_patch"}
    | {"computer", "computer_use_preview"},
}
"""OpenAI's own tools, which its API runs on its own servers."""


def check_tools(fields: Mapping[str, Any], *, format: Format, provider: str) -> None:
    """Check the tools of a request to a provider, by LiteLLM's name. Raises Failure (400)."""
    passed_on = _OF_OPENAI if provider in OPENAI else _OF_CALLER
    known = passed_on.get(format, _OF_CALLER.get(format, frozenset()))
    for number, tool in enumerate(fields.get("tools", ())):
        _check(tool, known, place=f"tools.{number}")
        if provider not in OPENAI:
            _check_search(tool, place=f"tools.{number}")
        if tool.get("type") == "namespace":
            inner = tool.get("tools", [])
            if not isinstance(inner, list) or not all(isinstance(each, dict) for each in inner):
                raise bad_request(f"tools.{number}.tools: must be a list of objects")
            for at, each in enumerate(inner):
                _check(each, frozenset({"function", "custom"}), place=f"tools.{number}.tools.{at}")


def _check(tool: Mapping[str, Any], known: frozenset[str | None], *, place: str) -> None:
    kind = tool.get("type")
    if not isinstance(kind, str | None) or kind not in known:
        raise bad_request(f"{place}: tools of type '{str(kind)[:64]}' are not supported for this model")


def _check_search(tool: Mapping[str, Any], *, place: str) -> None:
    """Reject the filters of a search, which LiteLLM drops: the search would then find excluded results."""
    filters = tool.get("filters")
    if str(tool.get("type")).startswith("web_search") and isinstance(filters, dict) and any(filters.values()):
        raise bad_request(f"{place}.filters: is not supported for this model")
