"""Warns of models that their provider retires."""

from collections.abc import Iterator
from datetime import date

from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.contract.retiring import retirement
from claude_gateway.names import Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.world import Item

_PROVIDER = "anthropic"


def warnings(route: Item[ModelRouteSpec], spec: ModelRouteSpec, *, today: date) -> Iterator[Problem]:
    """Yield a warning for each target whose model is or will be retired, and for such names that it passes through."""
    passes_on = False
    for placed in spec.all_targets:
        written = placed.target.model
        provider, _, model = written.partition("/")
        if provider != _PROVIDER:
            continue
        passes_on = passes_on or model == "*"
        yield from _warning(route.ref, model, at=f"{placed.at}.model", written=written, today=today)
    if passes_on:
        for index, name in enumerate(spec.models):
            yield from _warning(route.ref, name, at=f"spec.models[{index}]", written=name, today=today)


def _warning(owner: ObjectRef, model: str, *, at: str, written: str, today: date) -> Iterator[Problem]:
    found = retirement(model)
    if found is None:
        return
    day, instead = found
    shown = f"{day.day} {day:%B %Y}"
    message = (
        f"Anthropic retired `{written}` on {shown}" if day <= today else f"Anthropic retires `{written}` on {shown}"
    )
    prefix = written.removesuffix(model)
    fix = f"Use a current model, such as `{prefix}{instead}`; requests for this one fail from that day on."
    yield Problem(owner, at, Reason.MODEL_RETIRING, message, fix, severity=Severity.WARNING)
