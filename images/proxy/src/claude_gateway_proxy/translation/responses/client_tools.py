"""Tools of a client's request of Responses: functions, custom tools, groups of them, and the web search."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from claude_gateway_proxy.translation.claude import parts, tools
from claude_gateway_proxy.translation.claude.options import Target
from claude_gateway_proxy.translation.claude.rejected import Rejected
from claude_gateway_proxy.translation.claude.tools import SEARCH, Choice, ClientTool, Offered
from claude_gateway_proxy.translation.claude.turns import Block
from claude_gateway_proxy.translation.responses.history import loaded_tools

_SEARCHES: Final = ("web_search", "web_search_preview", "web_search_2025_08_26", "web_search_preview_2025_03_11")
_LEFT_OUT: Final = ("image_generation", "tool_search")
"""Tools that Codex offers with every request; a model without them is a model that never calls them."""


def offered_of(
    request: Mapping[str, Any], items: Iterable[Mapping[str, Any]], target: Target
) -> tuple[list[Offered], list[Block]]:
    """Return the tools that the client runs, and the search of Claude's servers. Raises Rejected for any other.

    ``items`` are those of the request's input, which may have tools, too.
    """
    own: list[Offered] = []
    searches: list[Block] = []
    for number, tool in enumerate(chain(parts.objects(request.get("tools"), at="tools"), loaded_tools(items))):
        at, kind = f"tools.{number}", tool.get("type")
        if kind in _SEARCHES:
            # Without access to the web there is nothing that Claude's search could do.
            if tool.get("external_web_access") is not False and not searches:
                if not target.searches:
                    raise Rejected(f"{at}: a web search is not supported for this model")
                searches.append(tools.search(tool, at=at))
        elif kind not in _LEFT_OUT:
            own += _own(tool, at=at)
    return own, searches


def call_of(item: Mapping[str, Any]) -> ClientTool | None:
    """Return the tool that an item of the history calls; None if it is not a call."""
    kind, name, namespace = item.get("type"), item.get("name"), item.get("namespace")
    if kind not in ("function_call", "custom_tool_call"):
        return None
    group = namespace if isinstance(namespace, str) and namespace else None
    return ClientTool(str(name), "function" if kind == "function_call" else "custom", group)


def choice_of(given: object) -> Choice:
    """Return ``tool_choice``. Raises Rejected."""
    if given is None:
        return Choice()
    if isinstance(given, str) and given in ("auto", "none", "required"):
        return Choice(mode=given)
    if isinstance(given, dict):
        kind = given.get("type")
        if kind in ("function", "custom"):
            given = _flat(given)
            group = given.get("namespace")
            namespace = group if isinstance(group, str) and group else None
            return Choice(one=ClientTool(str(given.get("name")), kind, namespace))
        if kind in _SEARCHES:
            return Choice(one=SEARCH)
        if kind == "allowed_tools":
            return tools.allowed(given)
    raise Rejected("tool_choice: must be auto, none, required, a function, a custom tool, web_search or allowed_tools")


def _flat(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool, or the choice of one, in the shape of Responses; clients of several formats send that of Chat, too."""
    inner = tool.get("function")
    return {**tool, **inner} if "name" not in tool and isinstance(inner, dict) else tool


def _own(tool: Mapping[str, Any], *, at: str, namespace: str | None = None) -> Iterator[Offered]:
    tool = _flat(tool)
    kind, name = tool.get("type"), tool.get("name")
    if kind not in ("function", "custom", "namespace") or (kind == "namespace" and namespace is not None):
        raise Rejected(f"{at}: tools of type '{str(kind)[:64]}' are not supported for this model")
    if not isinstance(name, str) or not name:
        raise Rejected(f"{at}.name: must be a string that is not empty")
    if kind == "namespace":
        for number, inner in enumerate(parts.objects(tool.get("tools"), at=f"{at}.tools")):
            yield from _own(inner, at=f"{at}.tools.{number}", namespace=name)
    elif kind == "custom":
        described = tools.custom_description(tool)
        yield Offered(ClientTool(name, "custom", namespace), at=at, description=described)
    else:
        yield Offered(
            ClientTool(name, namespace=namespace),
            at=at,
            description=tool.get("description"),
            parameters=tool.get("parameters"),
            strict=tool.get("strict") is True,
            hint=tool.get("cache_control"),
        )
