"""What an explained request costs at most at each target, at list price."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from claude_gateway.contract import models
from claude_gateway.contract.prices import Tokens, cost


def priced(explanation: Mapping[str, Any]) -> dict[str, Any]:
    """Return an explanation with ``cost`` in dollars at each target, None where the price is not known.

    It is that of the estimated input, uncached, and of all the output that the request allows, or that the model can
    write.
    """
    targets = [{**each, "cost": _cost(each["model"], explanation)} for each in explanation.get("targets") or ()]
    return {**explanation, "targets": targets}


def _cost(name: str, explanation: Mapping[str, Any]) -> str | None:
    provider, _, model = name.partition("/")
    known = models.find(provider, str(explanation.get("model")) if model == "*" else model)
    if known is None or explanation.get("inputTokens") is None:
        return None
    most = [number for number in (explanation.get("outputTokens"), known.output) if number is not None]
    if not most:
        return None
    found = cost(known.prices, Tokens(input=int(explanation["inputTokens"]), output=int(min(most))))
    return None if found is None else f"{found.quantize(Decimal('0.000001')).normalize():f}"
