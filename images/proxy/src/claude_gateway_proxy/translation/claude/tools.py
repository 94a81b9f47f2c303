"""Tools of OpenAI's formats as Claude's, under names that Claude accepts, and the way back from a call to its tool."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from claude_gateway_proxy.translation.arguments import arguments
from claude_gateway_proxy.translation.claude.models import Claude
from claude_gateway_proxy.translation.claude.rejected import Rejected
from claude_gateway_proxy.translation.claude.turns import Block
from claude_gateway_proxy.translation.names import Names, tool_names
from claude_gateway_proxy.translation.schema.claude import closed
from claude_gateway_proxy.translation.schema.openai import for_openai

Kind = Literal["function", "custom"]

SEARCH: Final = "web_search"
"""The name of the search that runs on Claude's own servers."""

_SEARCH_TYPE: Final = "web_search_20250305"
_INPUT: Final = "input"
"""The one argument of a custom tool, whose input is plain text."""

_SEARCHES: Final = {"low": 1, "medium": 5, "high": 10}


@dataclass(frozen=True, slots=True)
class ClientTool:
    """A tool as its client knows it; ``namespace`` is the group that it is in, in Responses."""

    name: str
    kind: Kind = "function"
    namespace: str | None = None

    @property
    def whole_name(self) -> str:
        """The name that is its own among all groups."""
        if self.namespace is None:
            return self.name
        return self.namespace + ("" if self.namespace.endswith("__") else "__") + self.name


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool that a request offers. ``parameters`` is JSON Schema; ``at`` is its place, for messages."""

    tool: ClientTool
    at: str
    description: object = None
    parameters: object = None
    strict: bool = False
    hint: object = None


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools of one request: ``given`` maps names of calls back to the client's tools."""

    names: Names = field(default_factory=Names)
    given: Mapping[str, ClientTool] = field(default_factory=dict)

    def to_claude(self, tool: ClientTool) -> str:
        """Return the name under which Claude knows a tool."""
        return self.names.to_upstream(tool.whole_name)

    def to_client(self, name: str) -> ClientTool:
        """Return the tool that a call of Claude's names."""
        return self.given.get(name) or ClientTool(self.names.to_client(name))


def toolbox(tools: Iterable[ClientTool]) -> Toolbox:
    """Return the names of the tools that a request offers or has called."""
    known = {tool.whole_name: tool for tool in tools}
    names = tool_names(known)
    return Toolbox(names, {names.to_upstream(name): tool for name, tool in known.items()})


def definition(offered: Offered, box: Toolbox, *, model: Claude) -> Block:
    """Return one of the request's own tools. Raises Rejected for a strict one where the model is never strict."""
    found: Block = {"name": box.to_claude(offered.tool)}
    if isinstance(offered.description, str) and offered.description:
        found["description"] = offered.description
    if offered.tool.kind == "custom":
        text = {"type": "string"}
        found["input_schema"] = {"type": "object", "properties": {_INPUT: text}, "required": [_INPUT]}
    elif offered.strict:
        if not model.structured:
            raise Rejected(f"{offered.at}.strict: is not supported for this model")
        found |= {"input_schema": closed(for_openai(offered.parameters)), "strict": True}
    else:
        found["input_schema"] = for_openai(offered.parameters)
    if isinstance(offered.hint, dict):
        found["cache_control"] = offered.hint
    return found


def unique(tools: Iterable[Block]) -> list[Block]:
    """Return tools with unique names, as Claude requires; of two with the same name, the later one counts."""
    return list({tool["name"]: tool for tool in tools}.values())


def custom_description(custom: Mapping[str, Any]) -> str:
    """Return what a custom tool does; a grammar that its input must follow can only be described to a Claude."""
    words = custom.get("description")
    shape = custom.get("format")
    grammar = shape.get("grammar", shape) if isinstance(shape, dict) and shape.get("type") == "grammar" else None
    found = [words] if isinstance(words, str) and words else []
    if isinstance(grammar, dict) and isinstance(definition := grammar.get("definition"), str):
        found.append(f"The input follows this grammar ({grammar.get('syntax')}):\n{definition}")
    return "\n\n".join(found)


def recalled(names: Iterable[str]) -> list[Block]:
    """Return the tools of earlier calls, for a request that offers none: Claude takes no call without its tool."""
    return [{"name": name, "input_schema": {"type": "object", "properties": {}}} for name in dict.fromkeys(names)]


def search(options: Mapping[str, Any], *, at: str) -> Block:
    """Return the web search, limited as its options say. Raises Rejected for one that Claude's search has not."""
    found: Block = {"type": _SEARCH_TYPE, "name": SEARCH}
    filters = options.get("filters")
    known = {"allowed_domains", "blocked_domains"}
    for name, value in filters.items() if isinstance(filters, dict) else ():
        if name not in known:
            raise Rejected(f"{at}.filters.{name[:64]}: is not supported for this model")
        if value:
            found[name] = value
    place = options.get("user_location")
    if isinstance(place, dict):
        inner = place.get("approximate")
        known_place = inner if isinstance(inner, dict) else place
        kept = {key: known_place[key] for key in ("city", "region", "country", "timezone") if known_place.get(key)}
        if kept:
            found["user_location"] = {"type": "approximate", **kept}
    size = options.get("search_context_size")
    if isinstance(size, str) and size in _SEARCHES:
        found["max_uses"] = _SEARCHES[size]
    return found


def custom_arguments(text: object) -> dict[str, Any]:
    """Return the arguments of an earlier call of a custom tool."""
    return {_INPUT: text if isinstance(text, str) else ""}


def custom_input(text: str) -> str:
    """Return the plain text that a call of a custom tool is made with, from the arguments' JSON text."""
    found = arguments(text).get(_INPUT)
    return found if isinstance(found, str) else text


@dataclass(frozen=True, slots=True)
class Choice:
    """A request's choice of tools. ``mode`` is OpenAI's value, ``only`` the allowed tools, None for all."""

    mode: str | None = None
    one: ClientTool | str | None = None
    only: Sequence[str] | None = None


def allowed(given: Mapping[str, Any]) -> Choice:
    """Return ``allowed_tools``: the tools that a request leaves of those that it offers. Raises Rejected."""
    mode, listed = given.get("mode"), given.get("tools")
    if mode not in ("auto", "required") or not isinstance(listed, list):
        raise Rejected("tool_choice: allowed_tools needs a mode (auto or required) and tools")
    names = []
    for each in listed:
        tool = each.get(each.get("type"), each) if isinstance(each, dict) else {}
        name = tool.get("name") if isinstance(tool, dict) else None
        if name is None and isinstance(each, dict) and str(each.get("type")).startswith(SEARCH):
            name = SEARCH
        if not isinstance(name, str):
            raise Rejected("tool_choice: allowed_tools takes the names of functions")
        names.append(name)
    return Choice(mode=mode, only=names)


def tool_choice(choice: Choice, *, parallel: object, tools: Sequence[Block], box: Toolbox) -> Block | None:
    """Return ``tool_choice``; None if it is not set. Raises Rejected for an unknown tool."""
    if not tools:
        if choice.one is not None or choice.mode == "required":
            raise Rejected("tool_choice: there are no tools to call")
        return None
    found: Block = {}
    if choice.one is not None:
        name = choice.one if isinstance(choice.one, str) else box.to_claude(choice.one)
        if all(tool["name"] != name for tool in tools):
            shown = choice.one if isinstance(choice.one, str) else choice.one.name
            raise Rejected(f"tool_choice: the tools have none of the name '{shown[:64]}'")
        found = {"type": "tool", "name": name}
    elif choice.mode == "none":
        return {"type": "none"}
    elif choice.mode is not None:
        found = {"type": "any" if choice.mode == "required" else "auto"}
    if parallel is False:
        found = {**(found or {"type": "auto"}), "disable_parallel_tool_use": True}
    return found or None
