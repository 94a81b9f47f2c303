"""Compares what the proxy pods serve with what a policy wants, object by object."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from claude_gateway.contract.policy import Policy
from claude_gateway.names import ConditionType, Kind
from claude_gateway.plan import slices
from claude_gateway.plan.capacity import Fitted
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.slices import Slices
from claude_gateway.plan.status import programmed
from claude_gateway.plan.status.programmed import ConditionState, Fleet
from claude_gateway.plan.status.stored_status import Condition, Release
from claude_gateway.plan.world import Item, World


@dataclass(frozen=True, slots=True)
class RolloutState:
    """What should be live and what is.

    ``wanted`` are the slices of the policy, ``past`` those of the revisions that were written before, ``known`` both.
    ``useful`` are the objects that can serve something, ``rejected`` those that do not fit into the bundle.
    ``release`` is this release, whose entries in the statuses are compared.
    """

    fleet: Fleet = field(default_factory=Fleet)
    wanted: Slices = field(default_factory=dict)
    past: Mapping[str, Slices] = field(default_factory=dict)
    known: Mapping[str, Slices] = field(default_factory=dict)
    useful: frozenset[ObjectRef] = frozenset()
    rejected: frozenset[ObjectRef] = frozenset()
    release: Release | None = None

    def condition(self, item: Item[Any]) -> ConditionState:
        """Return the ``Programmed`` condition of an object: whether every ready pod serves it as it is now."""
        name = slices.name(item) if item.ref in self.useful else None
        entry = item.status.of(self.release)
        before = (
            next((c for c in entry.report.conditions if c.type == ConditionType.PROGRAMMED), None) if entry else None
        )
        return programmed.condition(
            self.fleet,
            name,
            self.wanted,
            self.known,
            fits=item.ref not in self.rejected,
            before=None if before is None else before.message,
            unchanged=before is not None and self._unchanged(before, item, name),
        )

    def _unchanged(self, before: Condition, item: Item[Any], name: str | None) -> bool:
        """Return whether the condition was true of this generation, and no known revision has another slice."""
        if name is None or before.status != "True" or before.observed_generation != item.metadata.generation:
            return False
        mine = self.wanted.get(name)
        return bool(self.past) and all(parts.get(name) == mine for parts in self.past.values())


def compare(world: World, fitted: Fitted, *, spendable: frozenset[ObjectRef]) -> RolloutState | None:
    """Compare a bundle with what the pods serve; None if the World knows nothing about pods.

    ``spendable`` are the credentials that can be used, or are suspended on purpose.
    """
    if world.pods is None:
        return None
    revision = fitted.bundle.meta.revision
    wanted = slices.slices(fitted.policy, fitted.content.keys)
    return RolloutState(
        fleet=programmed.summarize(world.pods, revision),
        wanted=wanted,
        past=world.slices,
        known={**world.slices, revision: wanted},
        useful=spendable | frozenset(_serving(fitted.policy)),
        rejected=fitted.rejected,
        release=world.settings.identity,
    )


def _serving(policy: Policy) -> Iterator[ObjectRef]:
    """Yield the routes that have a target or are suspended, the clients, and the budgets."""
    named = [(Kind.MODEL_ROUTE, route.name) for route in policy.routes if route.all_targets or route.suspended]
    named += [(Kind.GATEWAY_CLIENT, client.name) for client in policy.clients]
    named += [(Kind.BUDGET, budget.name) for budget in policy.budgets]
    for kind, full_name in named:
        namespace, _, name = full_name.partition("/")
        yield ObjectRef(kind=kind, namespace=namespace, name=name)
