"""What a request of Messages asks for besides its conversation, in the words of OpenAI's formats."""

import re
from collections.abc import Mapping
from typing import Any, Final

from claude_gateway_proxy.translation.codec.blocks import call_ids, names_in
from claude_gateway_proxy.translation.codec.names import Names
from claude_gateway_proxy.translation.codec.schema import fits_strict
from claude_gateway_proxy.translation.codec.writer import Asked

Json = dict[str, Any]

_EFFORTS: Final = {
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
"""Claude's highest efforts have no equal that all of OpenAI's models take."""

_CHOICES: Final = {"auto": "auto", "any": "required", "none": "none"}
_TITLE: Final = re.compile(r"[^A-Za-z0-9_-]+", re.ASCII)


def asked_of(request: Mapping[str, Any], *, model: str) -> Asked:
    """What the answer to a request depends on; ``model`` is the name that it bears."""
    thinking = request.get("thinking")
    mode = thinking if isinstance(thinking, dict) else {}
    return Asked(
        model=model,
        names=names_in(request),
        known=call_ids(request),
        thinks=mode.get("type") in ("enabled", "adaptive"),
        shows_thinking=mode.get("display") != "omitted",
        stops=_stops(request.get("stop_sequences")),
    )


def _stops(sequences: Any) -> tuple[str, ...]:
    found = sequences if isinstance(sequences, list) else ()
    return tuple(stop for stop in found if isinstance(stop, str) and stop)


def effort_of(request: Mapping[str, Any]) -> str | None:
    """How much to think: None where the client left it to the model.

    Disabled thinking is no effort of its own: few servers know ``none``, and ``minimal`` is only OpenAI's.
    """
    config, thinking = request.get("output_config"), request.get("thinking")
    mode = thinking if isinstance(thinking, dict) else {}
    if mode.get("type") == "disabled":
        return None
    effort = config.get("effort") if isinstance(config, dict) else None
    if isinstance(effort, str):
        return _EFFORTS.get(effort)
    budget = budget_of(request)
    if budget is None:
        return None
    return "low" if budget < 4096 else "medium" if budget < 16384 else "high"


def budget_of(request: Mapping[str, Any]) -> int | None:
    """The tokens to think for, where a client names them and no effort."""
    config, thinking = request.get("output_config"), request.get("thinking")
    if not isinstance(thinking, dict) or thinking.get("type") != "enabled":
        return None
    if isinstance(config, dict) and isinstance(config.get("effort"), str):
        return None
    budget = thinking.get("budget_tokens")
    return budget if isinstance(budget, int) else None


def choice_of(request: Mapping[str, Any], names: Names) -> tuple[str | None, str | None]:
    """``tool_choice`` as OpenAI's word for it, or as the name of the one tool to call."""
    choice = request.get("tool_choice")
    if not isinstance(choice, dict):
        return None, None
    if choice.get("type") == "tool":
        return None, names.to_upstream(str(choice.get("name")))
    return _CHOICES.get(str(choice.get("type"))), None


def schema_of(request: Mapping[str, Any]) -> Json | None:
    """The JSON schema that the answer must follow, as OpenAI's ``json_schema``; strict only where it can be."""
    config = request.get("output_config")
    wanted = config.get("format") if isinstance(config, dict) else None
    schema = wanted.get("schema") if isinstance(wanted, dict) and wanted.get("type") == "json_schema" else None
    if not isinstance(schema, dict):
        return None
    name = _TITLE.sub("_", str(schema.get("title") or "answer"))[:64] or "answer"
    return {"name": name, "schema": schema, "strict": fits_strict(schema)}
