"""Objects that their owners took out of service with ``spec.suspend``."""

from collections.abc import Iterator
from typing import Any, Final

from claude_gateway.names import Kind, Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.world import Item, World

_EFFECT: Final = {
    Kind.MODEL_ROUTE: "the gateway answers requests for its models with 503",
    Kind.GATEWAY_CLIENT: "the gateway refuses its requests",
    Kind.CLAUDE_CREDENTIAL: "no target uses it",
}


def warnings(world: World) -> Iterator[Problem]:
    """Yield a warning for each suspended object: that is intended now, and easily forgotten."""
    items: tuple[Item[Any], ...] = (*world.routes, *world.clients, *world.credentials)
    for item in items:
        if item.spec is not None and item.spec.suspend:
            yield _warning(item.ref)


def _warning(ref: ObjectRef) -> Problem:
    message = f"the object is suspended: {_EFFECT[Kind(ref.kind)]}"
    fix = "Remove `suspend` to put it back into service."
    return Problem(ref, "spec.suspend", Reason.SUSPENDED, message, fix, severity=Severity.WARNING)
