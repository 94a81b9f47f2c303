"""What a request of Messages asks for besides its conversation, read once per request."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from claude_gateway_proxy.translation.messages.reading import Unsupported, calls_of, tools_of
from claude_gateway_proxy.translation.messages.shapes import Document
from claude_gateway_proxy.translation.names import Names, tool_names
from claude_gateway_proxy.translation.schema.nulls import has_options, without_options
from claude_gateway_proxy.translation.schema.strict import fits_strict
from claude_gateway_proxy.translation.schema.values import Schema, as_object

_EFFORTS: Final = {
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
"""Claude's highest efforts have no equal that all of OpenAI's models accept."""

_CHOICES: Final = {"auto": "auto", "any": "required", "none": "none"}
_LOOSENED: Final = frozenset({"anyOf", "oneOf", "allOf", "not", "enum", "const"})
"""Words that OpenAI does not take at the top of a tool's schema."""

_TITLE: Final = re.compile(r"[^A-Za-z0-9_-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Thinking:
    """How much to think: ``wanted`` thinking blocks, with their text ``shown``; ``effort`` is OpenAI's value.

    ``off``: the client says that the model shall not think.

    ``budget`` is in tokens, if a client sets one and no effort. ``effort`` is None where the client leaves it to
    the model; disabled thinking has no effort either: few servers know ``none``, and ``minimal`` is only OpenAI's.
    """

    wanted: bool = False
    shown: bool = True
    off: bool = False
    effort: str | None = None
    budget: int | None = None


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """What of a request its translation and its answer depend on.

    ``model`` is the name that the answer bears, ``tools`` are the names of the tools as the upstream knows them,
    ``strict`` the schemas of those that are strict and have optional properties, ``call_ids`` the ids of earlier tool
    calls; ``stops`` are the texts that end the answer, which not every upstream supports.
    """

    model: str
    names: Names = field(default_factory=Names)
    tools: frozenset[str] = frozenset()
    strict: Mapping[str, Schema] = field(default_factory=dict)
    call_ids: frozenset[str] = frozenset()
    thinking: Thinking = Thinking()
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """The JSON Schema that an answer must follow; ``strict`` where OpenAI's strict mode accepts it."""

    name: str
    schema: Document
    strict: bool


def request_options(request: Document, *, model: str) -> RequestOptions:
    """Return the options of a plain request."""
    calls = calls_of(request)
    choice = request.get("tool_choice")
    wanted = choice.get("name") if isinstance(choice, dict) else None
    tools = [name for tool in tools_of(request) if isinstance(name := tool.get("name"), str)]
    used = (*tools, *(call.get("name") for call in calls), wanted)
    names = tool_names(name for name in used if isinstance(name, str) and name)
    return RequestOptions(
        model=model,
        names=names,
        tools=frozenset(map(names.to_upstream, tools)),
        strict={names.to_upstream(name): schema for name, schema in _strict(request)},
        call_ids=frozenset(str(call.get("id")) for call in calls),
        thinking=thinking_of(request),
        stops=_stops(request.get("stop_sequences")),
    )


def strict_schema(tool: Document, schema: Schema) -> Schema:
    """Return the schema of a strict tool, as it is for the upstream otherwise, as OpenAI's strict mode takes it.

    Raises Unsupported if it cannot be enforced.
    """
    if _LOOSENED & as_object(tool.get("input_schema")).keys():
        words = ", ".join(sorted(_LOOSENED))
        raise Unsupported(
            f"tools: '{tool.get('name')}' cannot be strict for this model, since its schema has one of {words} at the "
            "top; send strict: false"
        )
    return without_options(schema)


def _strict(request: Document) -> Iterator[tuple[str, Schema]]:
    for tool in tools_of(request):
        schema = tool.get("input_schema")
        if tool.get("strict") is True and isinstance(schema, dict) and has_options(schema):
            yield str(tool.get("name")), schema


def thinking_of(request: Document) -> Thinking:
    """Return how much a request asks the model to think."""
    config, thinking = request.get("output_config"), request.get("thinking")
    mode = thinking if isinstance(thinking, dict) else {}
    effort = config.get("effort") if isinstance(config, dict) else None
    budget = mode.get("budget_tokens")
    if mode.get("type") != "enabled" or isinstance(effort, str) or not isinstance(budget, int):
        budget = None
    return Thinking(
        wanted=mode.get("type") in ("enabled", "adaptive"),
        shown=mode.get("display") != "omitted",
        off=mode.get("type") == "disabled",
        effort=None if mode.get("type") == "disabled" else _effort(effort, budget),
        budget=budget,
    )


def parallel_calls(request: Document) -> bool | None:
    """Return False if a request forbids parallel tool calls; None if it leaves them to the model."""
    choice = request.get("tool_choice")
    return False if isinstance(choice, dict) and choice.get("disable_parallel_tool_use") is True else None


def choice_of(request: Document, names: Names) -> tuple[str | None, str | None]:
    """Return ``tool_choice`` as OpenAI's value, or as the name of the one tool to call."""
    choice = request.get("tool_choice")
    if not isinstance(choice, dict):
        return None, None
    if choice.get("type") == "tool":
        return None, names.to_upstream(str(choice.get("name")))
    return _CHOICES.get(str(choice.get("type"))), None


def json_answer(request: Document) -> JsonAnswer | None:
    """Return the schema that the answer must follow; None if there is none."""
    config = request.get("output_config")
    wanted = config.get("format") if isinstance(config, dict) else None
    schema = wanted.get("schema") if isinstance(wanted, dict) and wanted.get("type") == "json_schema" else None
    if not isinstance(schema, dict):
        return None
    name = _TITLE.sub("_", str(schema.get("title") or "answer"))[:64] or "answer"
    return JsonAnswer(name=name, schema=schema, strict=fits_strict(schema))


def _effort(effort: object, budget: int | None) -> str | None:
    if isinstance(effort, str):
        return _EFFORTS.get(effort)
    if budget is None:
        return None
    return "low" if budget < 4096 else "medium" if budget < 16384 else "high"


def _stops(sequences: object) -> tuple[str, ...]:
    found = sequences if isinstance(sequences, list) else ()
    return tuple(stop for stop in found if isinstance(stop, str) and stop)
