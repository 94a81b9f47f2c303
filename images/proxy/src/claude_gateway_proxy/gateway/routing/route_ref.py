"""A route as the lookups by name hold it: decoded only when a request needs it."""

from collections.abc import Sequence
from dataclasses import dataclass

from claude_gateway.contract import tenancy
from claude_gateway.contract.model_ids import variants
from claude_gateway.contract.patterns import STAR, Pattern, matches
from claude_gateway.contract.route import Route
from claude_gateway.contract.tenancy import Namespaces
from claude_gateway_proxy.gateway.body.document import MODEL_LIMIT
from claude_gateway_proxy.gateway.routing.limits import TargetLimits, of_targets

Viewer = tuple[str, str]
"""The viewer of routes: a namespace, and a client in it if a route lists this client; else no client.

Clients that no route lists see the same routes, so they share cache entries.
"""


@dataclass(frozen=True, slots=True)
class RouteRef:
    """A route as the lookups hold it; ``raw`` is its JSON, which was validated.

    ``users`` are the namespaces whose clients may all use it, ``only`` the clients that may where it lists them,
    ``admits`` the namespaces whose routes may take names under its own. ``targeted`` are the models of its targets
    that one of its patterns matches: names that a client may send, though the route does not list them.

    Thousands of decoded routes are a hundred thousand objects, and each full garbage collection walks them all: every
    stream stops for 60 ms. So a route is decoded when a request first needs it.
    """

    name: str
    models: tuple[str, ...]
    display_name: str | None
    alias: str | None
    namespace: str
    users: Namespaces
    only: frozenset[str]
    admits: Namespaces
    limits: tuple[TargetLimits, ...]
    targeted: tuple[str, ...]
    raw: bytes

    @classmethod
    def of(cls, route: Route, raw: bytes, *, release: str = "") -> "RouteRef":
        """Return the reference to a route that was decoded from ``raw``; ``release`` is the release's namespace."""
        return cls(
            name=route.name,
            models=route.models,
            display_name=route.display_name,
            alias=route.alias,
            namespace=tenancy.namespace_of(route.name),
            users=tenancy.users(route, release),
            only=frozenset(route.only_clients or ()),
            admits=tenancy.namespaces(route.routes_from),
            limits=of_targets(route.targets),
            targeted=_targeted(route),
            raw=raw,
        )

    def serves(self, viewer: Viewer) -> bool:
        """Return whether a viewer may use the route."""
        namespace, client = viewer
        return self.users is None or namespace in self.users or client in self.only

    def names(self, model: str) -> bool:
        """Return whether the route has a model's name itself, not only without the provider in front of it."""
        names = lookups(model)
        return self.alias in names or any(matches(mine, name) for name in names for mine in self.models)


def lookups(model: str) -> Sequence[str]:
    """Return the names under which a model is looked up, the one that was sent first."""
    return variants(model) if len(model) <= MODEL_LIMIT else (model,)


def _targeted(route: Route) -> tuple[str, ...]:
    patterns = [Pattern.of(name) for name in route.models if STAR in name]
    if not patterns:
        return ()
    targets = (*route.targets, *(target for rule in route.rules for target in rule.targets))
    models = dict.fromkeys(target.model for target in targets if STAR not in target.model)
    return tuple(model for model in models if any(pattern.matches(model) for pattern in patterns))
