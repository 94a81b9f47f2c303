"""What a World's pods serve of what a policy wants, object by object."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from claude_gateway.contract.bundle import Bundle
from claude_gateway.contract.policy import Policy
from claude_gateway.names import Kind
from claude_gateway.plan import programmed, slices
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.programmed import Fleet, Verdict
from claude_gateway.plan.slices import Slices
from claude_gateway.plan.world import Item, World


@dataclass(frozen=True, slots=True)
class Judge:
    """Knows what should be live and what is; ``useful`` are the objects of which something can serve."""

    fleet: Fleet = field(default_factory=Fleet)
    wanted: Slices = field(default_factory=dict)
    known: Mapping[str, Slices] = field(default_factory=dict)
    useful: frozenset[ObjectRef] = frozenset()
    fits: bool = True

    def verdict(self, item: Item[Any]) -> Verdict:
        """Whether every ready pod serves an object as it is now."""
        name = slices.name(item) if item.ref in self.useful else None
        return programmed.verdict(self.fleet, name, self.wanted, self.known, fits=self.fits)


def appoint(
    world: World,
    policy: Policy,
    bundle: Bundle | None,
    *,
    client_keys: Mapping[str, str],
    spendable: frozenset[ObjectRef],
) -> Judge | None:
    """Compare a policy with the pods; None where nobody knows of any.

    ``bundle`` is None if it would be too large. ``client_keys`` has the client's name by the key's SHA-256;
    ``spendable`` are the credentials that can be used.
    """
    if world.pods is None:
        return None
    revision = None if bundle is None else bundle.meta.revision
    wanted = slices.slices(policy, client_keys)
    return Judge(
        fleet=programmed.muster(world.pods, revision),
        wanted=wanted,
        known=world.slices if revision is None else {**world.slices, revision: wanted},
        useful=spendable | frozenset(_serving(policy)),
        fits=bundle is not None,
    )


def _serving(policy: Policy) -> Iterator[ObjectRef]:
    """Routes with a target, and clients."""
    named = [(Kind.MODEL_ROUTE, route.name) for route in policy.routes if route.targets]
    named += [(Kind.GATEWAY_CLIENT, client.name) for client in policy.clients]
    for kind, full_name in named:
        namespace, _, name = full_name.partition("/")
        yield ObjectRef(kind=kind, namespace=namespace, name=name)
