"""Prices of a deployment, which LiteLLM has in dollars per token, and our targets in dollars per million."""

from decimal import Decimal, InvalidOperation
from typing import Final

from claude_gateway.cli.importing.draft import Json
from claude_gateway.cli.importing.section import Section

_PRICES: Final = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cacheRead",
    "cache_creation_input_token_cost": "cacheWrite",
    "cache_creation_input_token_cost_above_1hr": "cacheWrite1h",
    "output_cost_per_reasoning_token": "reasoning",
}
_MILLION: Final = 1_000_000


def prices(*sections: Section) -> Json:
    """Return the prices of a target, from the first section that has each; those that cannot be kept are noted."""
    found: Json = {}
    for theirs, ours in _PRICES.items():
        for section in sections:
            text = section.text(theirs)
            if text and ours not in found:
                price = _per_million(text)
                if price is None:
                    section.lose(theirs, "it is not a price in dollars", "Set `prices` of the target.")
                else:
                    found[ours] = price
    if not found or {"input", "output"} <= found.keys():
        return {"prices": found} if found else {}
    for section in sections:
        for theirs in _PRICES:
            if theirs in section:
                section.lose(theirs, "prices need those of input and output", "Set `prices` of the target.")
    return {}


def _per_million(text: str) -> str | None:
    try:
        price = Decimal(text) * _MILLION
    except InvalidOperation:
        return None
    if not price.is_finite() or not 0 <= price < _MILLION:
        return None
    return f"{price.quantize(Decimal('0.000001')):f}".rstrip("0").rstrip(".")
