"""What a target's tokens cost: the prices that its route states, and warnings for models without a known price."""

from collections.abc import Iterator
from decimal import Decimal

from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.api.route_target import TargetPrices
from claude_gateway.contract.billing import price_of
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import OwnPrices
from claude_gateway.names import Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity


def own(prices: TargetPrices | None) -> OwnPrices | None:
    """Return the prices that a route states, as numbers."""
    if prices is None:
        return None
    stated = {name: Decimal(value) for name, value in prices.model_dump(exclude_none=True).items()}
    return OwnPrices(**stated)


def warnings(owner: ObjectRef, spec: ModelRouteSpec, route: Route) -> Iterator[Problem]:
    """Yield a warning for each target of a rendered route whose model has no known price.

    A target without a fixed model is skipped: the price depends on the model of each request. So is one without a
    credential, because servers that take no key hardly bill by the token.
    """
    rendered = {target.id.rpartition(".")[0]: target for target in route.all_targets}
    for placed in spec.all_targets:
        target = rendered.get(f"{route.name}/{placed.label}")
        if target is None or target.model == "*" or placed.target.credential is None:
            continue
        price = price_of(target, "")
        if not price.certain:
            usual = price.prices.usual
            message = (
                f"no list price of `{placed.target.model}` is known, so that its tokens count as ${usual.input} per "
                f"million of input and ${usual.output} of output"
            )
            fix = "Set `prices` of the target to what its tokens cost."
            yield Problem(owner, f"{placed.at}.model", Reason.PRICE_UNKNOWN, message, fix, severity=Severity.WARNING)
