"""The longest prompt and answer under a model name, as the list of models reports them to clients."""

from collections.abc import Sequence
from typing import NamedTuple

from claude_gateway.contract import models
from claude_gateway.contract.model_ids import without_context
from claude_gateway.contract.target import Target

TargetLimits = tuple[int | None, int | None, str, bool]
"""A target's window and most output; the provider whose models it takes any of, empty for a target with a model of its
own; and whether the table of models has the provider's own limits."""


class Limits(NamedTuple):
    """The most input and output tokens under a name; None where they are not known."""

    window: int | None
    output: int | None


def of_targets(targets: Sequence[Target]) -> tuple[TargetLimits, ...]:
    """Return the limits of a route's targets, without duplicates."""
    return tuple(dict.fromkeys(_of_target(each) for each in targets))


def limits(targets: Sequence[TargetLimits], model: str) -> Limits:
    """Return the limits of a model name: those of the largest target, because it takes what others cannot.

    They are unknown if those of one target are unknown.
    """
    found = [_limits(target, without_context(model)) for target in targets]
    return Limits(_largest([each.window for each in found]), _largest([each.output for each in found]))


def _of_target(target: Target) -> TargetLimits:
    provider = target.provider if target.model == "*" else ""
    exact = models.is_exact(target.provider, target.base_url)
    return target.context_window, target.max_output_tokens, provider, exact


def _limits(target: TargetLimits, model: str) -> Limits:
    window, output, provider, exact = target
    known = models.find(provider, model) if provider else None
    if known is None:
        return Limits(window, output)
    # The gateway lowers no answer by the table where a target takes any model, so that its limit is the upstream's.
    return Limits(window or known.window, output or (known.output if exact else None))


def _largest(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return max(known) if known and len(known) == len(sizes) else None
