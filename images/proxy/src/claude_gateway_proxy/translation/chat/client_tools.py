"""Tools of a client's request of Chat Completions, in all the shapes that clients send, and the choice among them."""

from collections.abc import Mapping
from typing import Any, Final

from claude_gateway_proxy.translation.claude import parts, tools
from claude_gateway_proxy.translation.claude.options import Target
from claude_gateway_proxy.translation.claude.rejected import Rejected
from claude_gateway_proxy.translation.claude.tools import Choice, ClientTool, Offered
from claude_gateway_proxy.translation.claude.turns import Block

_MODES: Final = {"auto": "auto", "none": "none", "required": "required", "any": "required"}


def offered_of(request: Mapping[str, Any], target: Target) -> tuple[list[Offered], list[Block]]:
    """Return the tools that the client runs, and the web search of Claude's servers. Raises Rejected."""
    given = request.get("tools")
    found = [_tool(tool, at=f"tools.{number}") for number, tool in enumerate(parts.objects(given, at="tools"))]
    if not found:
        legacy = parts.objects(request.get("functions"), at="functions")
        found = [_function(tool, at=f"functions.{number}", hint=None) for number, tool in enumerate(legacy)]
    wanted = request.get("web_search_options")
    if not isinstance(wanted, dict):
        return found, []
    if not target.searches:
        raise Rejected("web_search_options: is not supported for this model")
    return found, [tools.search(wanted, at="web_search_options")]


def is_legacy(request: Mapping[str, Any]) -> bool:
    """Whether a request has functions, as they were before there were tools."""
    return not request.get("tools") and bool(request.get("functions"))


def choice_of(request: Mapping[str, Any]) -> Choice:
    """Return ``tool_choice``, or ``function_call`` of a legacy request. Raises Rejected."""
    given = request.get("tool_choice")
    if given is None and not request.get("tools"):
        given = request.get("function_call")
    if given is None:
        return Choice()
    if isinstance(given, str) and given in _MODES:
        return Choice(mode=_MODES[given])
    if isinstance(given, dict):
        found = _choice(given)
        if found is not None:
            return found
    raise Rejected("tool_choice: must be auto, none, required, a function or allowed_tools")


def _choice(given: Mapping[str, Any]) -> Choice | None:
    """A choice as an object; clients of several formats write it in the shape of another one."""
    kind = given.get("type")
    inner = given.get(kind) if isinstance(kind, str) else given.get("function")
    if kind == "allowed_tools":
        return tools.allowed(inner if isinstance(inner, dict) else given)
    if isinstance(kind, str) and kind in _MODES:
        return Choice(mode=_MODES[kind])
    name = inner.get("name") if isinstance(inner, dict) else given.get("name")
    if kind not in (None, "function", "custom", "tool") or not isinstance(name, str):
        return None
    return Choice(one=ClientTool(name))


def _tool(tool: Mapping[str, Any], *, at: str) -> Offered:
    kind, function, custom = tool.get("type"), tool.get("function"), tool.get("custom")
    if kind == "custom" and isinstance(custom, dict):
        return _custom(custom, at=f"{at}.custom")
    if kind in (None, "function") and isinstance(function, dict):
        return _function(function, at=f"{at}.function", hint=tool.get("cache_control") or function.get("cache_control"))
    if kind == "function" and isinstance(tool.get("name"), str):
        # The shape of Responses.
        return _function(tool, at=at, hint=tool.get("cache_control"))
    if kind in (None, "custom") and isinstance(tool.get("input_schema"), dict):
        # The shape of Messages.
        flat = {**tool, "parameters": tool["input_schema"]}
        return _function(flat, at=at, hint=tool.get("cache_control"))
    if kind == "function":
        raise Rejected(f"{at}.function: must be an object")
    raise Rejected(f"{at}: tools of type '{str(kind)[:64]}' are not supported for this model")


def _function(function: Mapping[str, Any], *, at: str, hint: object) -> Offered:
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise Rejected(f"{at}.name: must be a string that is not empty")
    return Offered(
        ClientTool(name),
        at=at,
        description=function.get("description"),
        parameters=function.get("parameters"),
        strict=function.get("strict") is True,
        hint=hint,
    )


def _custom(custom: Mapping[str, Any], *, at: str) -> Offered:
    name = custom.get("name")
    if not isinstance(name, str) or not name:
        raise Rejected(f"{at}.name: must be a string that is not empty")
    return Offered(ClientTool(name, "custom"), at=at, description=tools.custom_description(custom))
