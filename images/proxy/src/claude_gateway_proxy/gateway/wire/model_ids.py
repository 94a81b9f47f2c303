"""Model ids as each wire writes them: one Claude model has a name at Anthropic, at Bedrock and at Vertex.

``claude-sonnet-4-5-20250929``, ``us.anthropic.claude-sonnet-4-5-20250929-v1:0`` (also at the end of an ARN) and
``claude-sonnet-4-5@20250929`` are the same model.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from claude_gateway.contract.policy import Wire

_ARN: Final = "arn:"
_BEDROCK: Final = re.compile(r"(?:[a-z]{2,6}(?:-[a-z]{2,6})?\.)?anthropic\.(claude[^:]*?)(?:-v\d+)?(?::\d+(?::\w+)?)?")
_VERTEX: Final = re.compile(r"(claude[^@]*)@(\d{8}|latest|default)")
_DATE: Final = re.compile(r"-(\d{8})$")
_GEOS: Final = {"us-gov-": "us-gov", "us-": "us", "eu-": "eu", "ap-": "apac"}
"""Geography of the cross-region inference profiles by the beginning of a region, as Claude Code chooses it too."""


@lru_cache(maxsize=4096)
def variants(model: str) -> Sequence[str]:
    """The names under which a model is looked up: as sent; for an id of a cloud also plain, with and without date."""
    plain = plain_name(model)
    if plain == model:
        return (model,)
    undated = _DATE.sub("", plain)
    return (model, plain) if undated == plain else (model, plain, undated)


@lru_cache(maxsize=4096)
def plain_name(model: str) -> str:
    """Anthropic's own name of a model; what is no id of a Claude model on a cloud stays as it is."""
    last = model.rpartition("/")[2] if model.startswith(_ARN) else model
    if match := _BEDROCK.fullmatch(last):
        return match[1]
    if match := _VERTEX.fullmatch(last):
        name, version = match.groups()
        return name if version == "default" else f"{name}-{version}"
    return model


@lru_cache(maxsize=4096)
def written_for(wire: Wire, model: str, region: str) -> str:
    """The id under which ``wire`` knows a model that a client named; ``region`` is that of a Bedrock target."""
    plain = plain_name(model)
    match wire:
        case Wire.BEDROCK:
            return _bedrock(model, plain, region)
        case Wire.VERTEX:
            if "@" in model or not plain.startswith("claude"):
                return model
            dated = _DATE.search(plain)
            return plain if dated is None else f"{plain[: dated.start()]}@{dated[1]}"
    return plain


def _bedrock(model: str, plain: str, region: str) -> str:
    if model.startswith(_ARN) or not plain.startswith("claude") or _BEDROCK.fullmatch(model):
        return model
    geo = next((geo for start, geo in _GEOS.items() if region.startswith(start)), "global")
    return f"{geo}.anthropic.{plain}{'-v1:0' if _DATE.search(plain) else ''}"
