"""What OpenAI's formats say of an answer apart from its content, as fields of Messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from claude_gateway_proxy.translation.claude.models import Claude, Sampling
from claude_gateway_proxy.translation.claude.rejected import Rejected
from claude_gateway_proxy.translation.claude.tools import Toolbox
from claude_gateway_proxy.translation.claude.turns import Block
from claude_gateway_proxy.translation.schema.claude import closed
from claude_gateway_proxy.translation.stand_ins import JSON_ONLY

_LEAST_TOP_P: Final = 0.95
"""With thinking, ``top_p`` may be between this and 1; ``temperature`` may not differ from 1."""

_USER_MOST: Final = 256
"""Characters of ``metadata.user_id``."""


@dataclass(frozen=True, slots=True)
class Target:
    """The requested model, by its name at the target and by Anthropic's own (``plain``).

    ``urls``: it fetches images from the web; ``searches``: it has the web search of Anthropic's servers.
    """

    model: str
    plain: str
    urls: bool = True
    searches: bool = True


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """What of a request the writing of its answer depends on.

    ``stops`` are texts at which the answer ends and which Claude does not support itself; ``shown`` is whether thoughts
    are shown; ``fenced`` whether Markdown around JSON is taken off.
    """

    tools: Toolbox = field(default_factory=Toolbox)
    stops: tuple[str, ...] = ()
    shown: bool = True
    fenced: bool = False


def limit(value: object, model: Claude, *, at: str) -> int:
    """Return the most output in tokens: what the client asks for, or all that the model can write."""
    if value is None:
        return model.most_output
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Rejected(f"{at}: must be a whole number above 0")
    return min(value, model.most_output)


def sampling(request: Mapping[str, Any], model: Claude, *, thinks: bool) -> dict[str, Any]:
    """Return ``temperature`` and ``top_p`` as far as the model takes them; Claude's scale ends at 1, OpenAI's at 2.

    Clients send defaults of their own with every request, so that what a model cannot take is left out.
    """
    if model.sampling is Sampling.NONE:
        return {}
    found: dict[str, Any] = {}
    for name in ("temperature", "top_p"):
        value = request.get(name)
        if value is None:
            continue
        if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
            raise Rejected(f"{name}: must be a number of at least 0")
        found[name] = min(value, 1)
    if thinks:
        found.pop("temperature", None)
        if found.get("top_p", 1) < _LEAST_TOP_P:
            del found["top_p"]
    if model.sampling is Sampling.ONE and len(found) > 1:
        del found["top_p"]
    return found


def stops(value: object) -> tuple[list[str], tuple[str, ...]]:
    """Return the stop sequences for Claude, and those that it does not take: white space alone. Raises Rejected."""
    given = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise Rejected("stop: must be a string or a list of strings")
    sent = [each for each in given if each.strip()]
    return sent, tuple(each for each in given if each and not each.strip())


def user_id(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the client's end user as ``metadata``; Anthropic allows no personal address there."""
    for name in ("safety_identifier", "user"):
        value = request.get(name)
        if isinstance(value, str) and 0 < len(value) <= _USER_MOST and "@" not in value:
            return {"metadata": {"user_id": value}}
    return {}


def answer_format(kind: object, schema: object, *, model: Claude, at: str) -> tuple[dict[str, Any], bool]:
    """Return the form of the answer for ``output_config``, and whether it is JSON without a schema. Raises Rejected."""
    if kind in (None, "text"):
        return {}, False
    if kind == "json_object":
        return {}, True
    if kind != "json_schema":
        raise Rejected(f"{at}.type: must be text, json_object or json_schema")
    if not isinstance(schema, dict):
        raise Rejected(f"{at}: a json_schema needs a schema")
    if not model.structured:
        raise Rejected(f"{at}: a json_schema is not supported for this model")
    return {"format": {"type": "json_schema", "schema": closed(schema)}}, False


def unsupported(request: Mapping[str, Any], refused: Mapping[str, Sequence[object]]) -> None:
    """Check that fields without an equal at Claude say nothing. Raises Rejected that names the first one that does.

    ``refused`` maps each field to the values that say nothing, next to null.
    """
    for name, harmless in refused.items():
        value = request.get(name)
        if value is not None and value not in harmless:
            raise Rejected(f"{name}: is not supported for this model")


def system_blocks(texts: Sequence[Block], *, json_only: bool) -> list[Block]:
    """Return the system prompt."""
    return [*texts, {"type": "text", "text": JSON_ONLY}] if json_only else list(texts)
