"""Tools: those that the client runs itself, loaded or not, without Anthropic's own kinds and settings."""

from collections.abc import Iterator, Sequence
from typing import Final

from claude_gateway_proxy.translation.messages.shapes import Document, Tool, ToolChoice

PLACEHOLDER: Final = "DeferredToolPlaceholder"
"""What Claude Code sends to keep deferred loading on while no deferred tool is loaded."""

_OWN_TYPES: Final = (None, "custom")
"""Types of the tools that a client runs itself."""


def plain_tools(tools: object, *, used: frozenset[str]) -> list[Tool]:
    """The tools that a model may call.

    A deferred tool counts only once it is in ``used``. Tools with a type of their own (``web_search_…``, ``bash_…``)
    run on Anthropic's servers or need its models; they are left out.
    """
    found = tools if isinstance(tools, list) else []
    return [_plain(tool) for tool in found if isinstance(tool, dict) and _callable(tool, used)]


def absent(tools: object) -> str:
    """The note for a model that was offered tools of Anthropic's servers, so that it does not invent results."""
    found = tools if isinstance(tools, list) else []
    names = [str(tool.get("name")) for tool in found if isinstance(tool, dict) and tool.get("type") not in _OWN_TYPES]
    return f"These tools are not available here: {', '.join(names)}. If you would need one, say so." if names else ""


def choice(tool_choice: object, tools: Sequence[Tool]) -> ToolChoice:
    """Return ``tool_choice`` as far as it still holds, with its switch against parallel calls; empty for none."""
    if not isinstance(tool_choice, dict):
        return {}
    kind, name = tool_choice.get("type"), tool_choice.get("name")
    found: ToolChoice = {}
    if kind == "tool":
        known = any(tool["name"] == name for tool in tools)
        found = {"type": "tool", "name": name} if known else {"type": "auto"}
    elif kind in ("auto", "any", "none"):
        found = {"type": kind}
    if tool_choice.get("disable_parallel_tool_use") is True:
        found["disable_parallel_tool_use"] = True
    return found


def used_names(messages: Sequence[Document]) -> frozenset[str]:
    """Names of tools that the conversation has loaded or called."""
    contents = [content for message in messages if type(content := message.get("content")) is list]
    return frozenset(name for content in contents for name in _names(content))


def _names(blocks: object) -> Iterator[str]:
    for block in blocks if isinstance(blocks, list) else ():
        if not isinstance(block, dict):
            continue
        kind = block.get("type")
        if kind == "tool_result":
            yield from _names(block.get("content"))
        elif kind in ("tool_reference", "tool_use"):
            name = block.get("tool_name" if kind == "tool_reference" else "name")
            if isinstance(name, str):
                yield name


def _callable(tool: Document, used: frozenset[str]) -> bool:
    if tool.get("type") not in _OWN_TYPES or not isinstance(tool.get("name"), str):
        return False
    return tool["name"] != PLACEHOLDER and (not tool.get("defer_loading") or tool["name"] in used)


def _plain(tool: Document) -> Tool:
    schema, description = tool.get("input_schema"), tool.get("description")
    plain: Tool = {
        "name": str(tool["name"]),
        "input_schema": schema if isinstance(schema, dict) else {"type": "object"},
    }
    if isinstance(description, str):
        plain["description"] = description
    if tool.get("strict") is True:
        plain["strict"] = True
    return plain
