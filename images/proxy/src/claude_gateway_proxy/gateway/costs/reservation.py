"""The highest plausible cost of a request, before it is sent."""

from decimal import Decimal
from typing import Final

import msgspec

from claude_gateway.contract import models, money
from claude_gateway.contract.billing import Price, price_of
from claude_gateway.contract.prices import Prices
from claude_gateway.contract.target import Format, Target
from claude_gateway_proxy.gateway.body import estimate
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.call import Batch, Call
from claude_gateway_proxy.gateway.costs.cost import billed_model, requested_modes
from claude_gateway_proxy.operations import OPERATIONS

DEFAULT_OUTPUT: Final = 32_000
"""Output tokens assumed if neither the request nor the table of models has a limit."""

MOST_OUTPUT: Final = 10_000_000
"""Tokens that no answer exceeds, whatever limit a request sets; also the maximum of a target's ``maxOutputTokens``."""

_READ: Final = 32 * 1024
"""The largest request whose tokens are estimated; a larger one would block the event loop."""
_DENSE: Final = 2
"""The fewest bytes per token of usual text."""
_MILLION: Final = 1_000_000
_BATCH: Final = "batch"
_MODES: Final = ("speed", "service_tier", "inference_geo")
"""Fields of Messages that change what tokens cost."""
_MOST_CHOICES: Final = 128
"""Answers to one request that OpenAI's Chat Completions allow."""


def reservation(call: Call) -> int:
    """Return the highest plausible cost of a request in nanodollars, at the most expensive target of its route.

    It covers the whole prompt at its highest rate, and as much output as the request or the model allows.
    """
    if call.batch is not None:
        return call.batch.cost
    if call.format is Format.COUNT_TOKENS:
        return 0
    sent = _prompt(call.facts)
    choices = _choices(call) if OPERATIONS[call.format].generates else 0
    modes = requested_modes(call)
    targets = (*call.route.targets, *(target for rule in call.route.rules for target in rule.targets))
    return max((_most(call, target, sent=sent, choices=choices, modes=modes) for target in targets), default=0)


def batched(call: Call, target: Target) -> Batch:
    """Return the most that one request of a batch may use and cost at a target.

    Content that it names by URL or file id is unknown, and counts as a full context. The real usage is never counted:
    the answers come after the batch was settled.
    """
    price = price_of(target, call.asked_of(target))
    known = models.find(target.provider, billed_model(call, target))
    sent = _prompt(call.facts)
    if call.facts.fetches:
        windows = (target.long_context_window, target.context_window, None if known is None else known.window)
        sent = max(sent, *(window or 0 for window in windows)) if any(windows) else max(sent, _MILLION)
    written = _written(call, target)
    rates = price.prices.rates(sent)
    dearest = max(rates.output or 0, rates.reasoning or 0)
    factor = price.prices.factor((_BATCH,)) * _factor(price.prices, _modes(call))
    cost = money.of_one((sent * rates.highest + written * dearest) * factor / _MILLION)
    return Batch(input_tokens=sent, output_tokens=written, cost=cost)


def _written(call: Call, target: Target) -> int:
    """Return the most output of a request in a batch: its own limit, because betas allow more than the models do."""
    asked = call.body.limit(OPERATIONS[Format.MESSAGES].output_limits[0])
    if asked is None:
        return _output(call, target)
    return max(1, min(asked, MOST_OUTPUT if target.max_output_tokens is None else target.max_output_tokens))


def _modes(call: Call) -> tuple[str, ...]:
    """Return the modes that a request asks for, by the names that prices have for them."""
    texts = (call.body.value(name) for name in _MODES)
    return tuple(text.strip(b'"').decode("utf-8", "replace") for text in texts if text is not None)


def _most(call: Call, target: Target, *, sent: int, choices: int, modes: tuple[str, ...]) -> int:
    price: Price = price_of(target, call.asked_of(target))
    rates = price.prices.rates(sent)
    dearest = max(rates.output or 0, rates.reasoning or 0)
    written = choices * _output(call, target) if choices else 0
    dollars = (sent * rates.highest + written * dearest) * _factor(price.prices, modes) / _MILLION
    return money.of_one(dollars)


def _factor(prices: Prices, modes: tuple[str, ...]) -> Decimal:
    return max(Decimal(1), prices.factor(modes))


def _prompt(facts: Facts) -> int:
    if facts.measured or facts.size <= _READ or estimate.at_most(facts.body.raw) is None:
        return facts.input_tokens
    return facts.size // _DENSE


def _output(call: Call, target: Target) -> int:
    """Return the most tokens of one answer."""
    known = models.find(target.provider, billed_model(call, target))
    limits = [call.body.limit(name) for name in OPERATIONS[call.format].output_limits]
    bounds = [*limits, target.max_output_tokens, None if known is None else known.output]
    given = [bound for bound in bounds if bound is not None]
    return min(*given, MOST_OUTPUT) if given else DEFAULT_OUTPUT


def _choices(call: Call) -> int:
    """Return how many answers the request asks for."""
    found = 1
    for name in ("n", "best_of"):
        text = call.body.value(name)
        try:
            found = max(found, 1 if text is None else msgspec.json.decode(text, type=int))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return min(found, _MOST_CHOICES)
