"""The cost of a request at its end, from reported tokens or, if the answer broke off, from the part that passed."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from claude_gateway.contract import money
from claude_gateway.contract.billing import Price, price_of
from claude_gateway.contract.openai import is_openais_own
from claude_gateway.contract.prices import Tokens, cost, saved_by_cache
from claude_gateway.contract.target import Format, Target, Wire
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.costs.passed import output_tokens
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_proxy.operations import OPERATIONS

OTHER = "other"
"""The label of models that the table of models does not have, so that the number of labels stays bounded."""


@dataclass(frozen=True, slots=True)
class Passed:
    """The part of an answer that passed: its beginning, its size, and whether it was complete."""

    sample: Sequence[bytes] = ()
    size: int = 0
    ended: bool = False
    streamed: bool = True


class Cost(msgspec.Struct, frozen=True):
    """The cost of an answer in nanodollars; ``certain`` is False where a price or a count is an estimate.

    ``saved`` is what reading from the prompt cache saved, ``extra`` what writing to it cost in addition.
    """

    nanodollars: int = 0
    certain: bool = True
    saved: int = 0
    extra: int = 0


def cost_of(call: Call, target: Target) -> Cost:
    """Return what the tokens in a call's record cost at the target that answered; a count of tokens costs nothing."""
    if call.format is Format.COUNT_TOKENS:
        return Cost()
    return _cost_at(price_of(target, call.asked_of(target)), call, target)


def _cost_at(price: Price, call: Call, target: Target) -> Cost:
    tokens = tokens_of(call.record, modes=_granted_modes(call, target, price))
    dollars = cost(price.prices, tokens)
    if dollars is None:  # pragma: no cover - a complete price has no gap
        raise AssertionError(price)
    saved, extra = saved_by_cache(price.prices, tokens)
    return Cost(
        nanodollars=money.of_one(dollars),
        certain=price.certain,
        saved=money.of_one(saved),
        extra=money.of_one(extra),
    )


def charge(call: Call, target: Target, passed: Passed) -> None:
    """Write into a call's record what the answer of a target used and cost.

    Of an answer that broke off, and of one without counts, the tokens are estimated: the input from the request where
    the answer did not begin with a count, the output from what passed, unless more was reported.
    """
    if call.format is Format.COUNT_TOKENS:
        return
    record = call.record
    estimated = _estimate(call, passed)
    price = price_of(target, call.asked_of(target))
    found = _cost_at(price, call, target)
    record.cost += found.nanodollars
    record.cost_certain = record.cost_certain and found.certain and not estimated
    record.saved, record.extra = found.saved, found.extra
    record.billed_model = billed_model(call, target) if target.model != "*" or price.listed else OTHER


def billed_model(call: Call, target: Target) -> str:
    """Return the name by which the target's provider knows the model of a request."""
    return call.asked_of(target) if target.model == "*" else target.model


def describe(call: Call) -> None:
    """Write into a call's record what Claude Code reports, or what was detected, about the agent that sent it."""
    record, agent = call.record, call.facts.agent
    if not agent.session:
        return
    record.agent, record.agent_type = agent.agent_id, agent.agent_type
    found = call.facts.request_class
    record.request_class = "" if found is None else found.value


def tokens_of(record: Record, *, modes: tuple[str, ...] = ()) -> Tokens:
    """Return the counts of a record as those that prices are for."""
    hour = min(record.cache_creation_1h_tokens, record.cache_creation_tokens)
    thought = min(record.reasoning_tokens, record.output_tokens)
    return Tokens(
        input=record.input_tokens,
        output=record.output_tokens - thought,
        cache_read=record.cache_read_tokens,
        cache_write=record.cache_creation_tokens - hour,
        cache_write_1h=hour,
        reasoning=thought,
        searches=record.web_searches,
        modes=record.modes or modes,
    )


def requested_modes(call: Call) -> tuple[str, ...]:
    """Return the mode that a client of OpenAI's formats requested; streams do not always report the mode used."""
    text = call.body.value("service_tier") if call.wire is Wire.OPENAI else None
    if text is None:
        return ()
    try:
        return (msgspec.json.decode(text, type=str),)
    except msgspec.DecodeError:
        return ()


def _granted_modes(call: Call, target: Target, price: Price) -> tuple[str, ...]:
    """Return the requested mode, if it counts although the answer names none.

    A cheaper one counts only at OpenAI itself, which grants it or rejects the request: any other server may ignore the
    field, and a translation leaves it out.
    """
    modes = requested_modes(call)
    if not modes or price.prices.factor(modes) >= 1:
        return modes
    return modes if target.base_url is not None and is_openais_own(target.base_url) else ()


def _estimate(call: Call, passed: Passed) -> bool:
    """Fill the counts that an answer did not report; return whether there were any."""
    record = call.record
    unknown = not (record.input_tokens or record.cache_read_tokens or record.cache_creation_tokens)
    if passed.ended and (record.output_tokens or not unknown):
        return False
    if unknown:
        record.input_tokens = call.facts.input_tokens
    if OPERATIONS[call.format].generates:
        said = output_tokens(passed.sample, size=passed.size, streamed=passed.streamed)
        record.output_tokens = max(record.output_tokens, said)
    return True
