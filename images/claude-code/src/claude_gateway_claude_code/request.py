"""A Messages request, read into what one turn of Claude Code needs. Pure.

What Claude Code has no setting for goes into its request as it is (``CLAUDE_CODE_EXTRA_BODY``), so the model gets
exactly the values that the client sent. A field that cannot be honoured is rejected by name, unless its value requests
nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from claude_gateway_claude_code import failures
from claude_gateway_claude_code.content import Json, conversation, references, system_text, without_marks
from claude_gateway_claude_code.models import candidates

_AS_SENT: Final = (
    *("max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "tool_choice", "thinking", "output_config"),
    *("context_management", "service_tier", "safeguards"),
)
_READ: Final = frozenset({*_AS_SENT, "model", "messages", "system", "tools", "stream", "output_format"})
_LEFT_OUT: Final = frozenset({"metadata", "user"})
"""Fields that name the person behind the request: the login does."""
_NOTHING: Final[Mapping[str, Sequence[object]]] = {
    "n": (1,),
    "best_of": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logprobs": (False, 0),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "parallel_tool_calls": (True,),
    "mcp_servers": ([],),
    "store": (False,),
    "echo": (False,),
}
"""Values that request nothing, of fields that cannot be honoured otherwise; null requests nothing anywhere."""

_SCHEMA_BETA: Final = "structured-outputs-2025-12-15"
_OWN_BETAS: Final = ("claude-code-", "oauth-")
"""Betas that Claude Code sends with every request by itself."""
_SEARCH: Final = "tool_search_tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn. ``models`` are tried in order; ``body`` goes into Claude Code's request as it is.

    ``messages`` alternate, the last one is the user's. ``thinks`` says whether the client asked for thinking.
    """

    model: str
    models: tuple[str, ...]
    system: str
    messages: tuple[Json, ...]
    body: Json
    betas: tuple[str, ...] = ()
    thinks: bool = False
    stream: bool = False


def read(data: bytes, *, betas: str = "", counts: bool = False) -> Turn:
    """Read a request; ``betas`` is its header ``anthropic-beta``. Raises Failure (400).

    One that only ``counts`` tokens needs no ``max_tokens``.
    """
    body = {name: value for name, value in _object(data).items() if value is not None}
    _check_fields(body)
    model = body.get("model")
    models = candidates(model) if isinstance(model, str) else ()
    if not isinstance(model, str) or not models:
        raise failures.invalid("model", "must be the name of a Claude model, such as sonnet")
    if not counts and not _is_count(body.get("max_tokens")):
        raise failures.invalid("max_tokens", "must be a whole number above 0")
    if not isinstance(body.get("stream", False), bool):
        raise failures.invalid("stream", "must be true or false")
    own: Json = {name: body[name] for name in _AS_SENT if name in body}
    own |= _output(body)
    own |= _tools(body)
    return Turn(
        model=model,
        models=models,
        system=system_text(body.get("system")),
        messages=conversation(body.get("messages")),
        body=own,
        betas=_betas(betas, schema="format" in own.get("output_config", {})),
        thinks=_thinks(body.get("thinking")),
        stream=body.get("stream", False),
    )


def _object(data: bytes) -> Json:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise failures.invalid("body", "must be a JSON object") from None


def _check_fields(body: Json) -> None:
    for name, value in body.items():
        if name in _READ or name in _LEFT_OUT:
            continue
        if not any(value == nothing for nothing in _NOTHING.get(name, ())):
            raise failures.invalid(name, "Claude Code has no such setting, so it cannot be honoured: leave it out")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _thinks(thinking: Any) -> bool:
    if thinking is None:
        return False
    if not isinstance(thinking, dict) or not isinstance(thinking.get("type"), str):
        raise failures.invalid("thinking", "must be an object with a type")
    return bool(thinking["type"] != "disabled")


def _output(body: Json) -> Json:
    """The settings of the output; a format in its older place goes where it is today."""
    config = body.get("output_config", {})
    if not isinstance(config, dict):
        raise failures.invalid("output_config", "must be an object")
    older = body.get("output_format")
    if older is not None:
        config = {**config, "format": older}
    return {"output_config": config} if config else {}


def _tools(body: Json) -> Json:
    """The tools, those alone that the model is to see now."""
    tools = body.get("tools", [])
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise failures.invalid("tools", "must be a list of tools")
    if not any(str(tool.get("type")).startswith(_SEARCH) for tool in tools):
        # Claude Code as a client searches by itself; the process here knows none of these tools.
        messages = body.get("messages")
        found = references(messages) if isinstance(messages, list) else frozenset()
        tools = [tool for tool in tools if not tool.get("defer_loading") or tool.get("name") in found]
        tools = [{key: value for key, value in tool.items() if key != "defer_loading"} for tool in tools]
    return {"tools": [without_marks(tool) for tool in tools]} if tools else {}


def _betas(header: str, *, schema: bool) -> tuple[str, ...]:
    asked = [beta.strip() for beta in header.split(",")]
    asked += [_SCHEMA_BETA] if schema else []
    return tuple(dict.fromkeys(beta for beta in asked if beta and not beta.startswith(_OWN_BETAS)))
