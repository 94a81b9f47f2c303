"""The name of a model at a target, and the id of a Claude model on each wire."""

from functools import lru_cache
from typing import Final

from claude_gateway.contract.model_ids import ARN, BEDROCK_ID, DATE, plain_name
from claude_gateway.contract.target import CLAUDE_WIRES, Target, Wire

_GEOS: Final = {"us-gov-": "us-gov", "us-": "us", "eu-": "eu", "ap-": "apac"}
"""Geography of the cross-region inference profiles by the beginning of a region, as Claude Code chooses it too."""


def name_at(target: Target, asked: str) -> str:
    """Return the target's name of a model; if clients choose it, their name without the target's own provider."""
    if target.model != "*":
        return target.model
    return asked if target.verbatim else asked.removeprefix(f"{target.provider}/") or asked


def model_at(target: Target, asked: str) -> str:
    """Return the target's name of a model in the form of its wire."""
    if target.model != "*" or target.verbatim:
        return name_at(target, asked)
    asked = name_at(target, asked)
    if target.wire not in CLAUDE_WIRES:
        return asked
    return written_for(target.wire, asked, "" if target.aws is None else target.aws.region)


@lru_cache(maxsize=4096)
def written_for(wire: Wire, model: str, region: str) -> str:
    """Return the id of a client's model on ``wire``; ``region`` is that of a Bedrock target."""
    plain = plain_name(model)
    match wire:
        case Wire.BEDROCK:
            return _bedrock(model, plain, region)
        case Wire.VERTEX:
            if "@" in model or not plain.startswith("claude"):
                return model
            dated = DATE.search(plain)
            return plain if dated is None else f"{plain[: dated.start()]}@{dated[1]}"
    return plain


def _bedrock(model: str, plain: str, region: str) -> str:
    if model.startswith(ARN) or not plain.startswith("claude") or BEDROCK_ID.fullmatch(model):
        return model
    geo = next((geo for start, geo in _GEOS.items() if region.startswith(start)), "global")
    return f"{geo}.anthropic.{plain}{'-v1:0' if DATE.search(plain) else ''}"
