"""Which model judges a route's tool calls: one that the route's own namespace may use."""

from collections.abc import Iterable, Iterator, Mapping

from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.contract import tenancy
from claude_gateway.contract.model_ids import variants
from claude_gateway.contract.patterns import STAR, Patterns
from claude_gateway.contract.route import Route
from claude_gateway.names import Reason
from claude_gateway.plan.claims import COMPARED
from claude_gateway.plan.problem import Problem
from claude_gateway.plan.world import Item


class Served:
    """Which model names the routes serve, and to whom."""

    def __init__(self, routes: Iterable[Route], *, release: str) -> None:
        """Read the routes; ``release`` is the release's namespace."""
        self._named: dict[str, tenancy.Namespaces] = {}
        self._patterns: Patterns[tenancy.Namespaces] = Patterns()
        for route in routes:
            users = tenancy.users(route, release)
            for name in (*route.models, *filter(None, (route.alias,))):
                if STAR in name:
                    self._patterns.add(name, users)
                else:
                    self._named[name] = users

    def to(self, model: str, namespace: str) -> bool:
        """Return whether a route serves a model to the clients of a namespace."""
        serving = _serving(variants(model), self._named, self._patterns)
        return any(tenancy.includes(users, namespace) for users in serving)


def problems(items: Iterable[Item[ModelRouteSpec]], served: Served) -> Iterator[Problem]:
    """Yield a Problem for each ``safeguardsModel`` that no route serves to the namespace of the route that names it.

    Such a route still serves, but tool calls that its targets cannot judge are not judged.
    """
    for item in items:
        model = None if item.spec is None else item.spec.safeguards_model
        if model is None or served.to(model, item.ref.namespace):
            continue
        message = f"no route serves the model `{model}` to clients of namespace {item.ref.namespace}"
        fix = "Set a name that a route of this namespace serves, or have `spec.allowedClients` of its route admit it."
        yield Problem(item.ref, "spec.safeguardsModel", Reason.MODEL_NOT_FOUND, message, fix)


def _serving(
    names: Iterable[str], named: Mapping[str, tenancy.Namespaces], patterns: Patterns[tenancy.Namespaces]
) -> Iterator[tenancy.Namespaces]:
    """Yield who may use each route that serves one of the names of a model.

    After ``COMPARED`` patterns the model counts as served, so that very many patterns cannot cause a wrong message.
    """
    for name in names:
        if name in named:
            yield named[name]
        for compared, (pattern, users) in enumerate(patterns.candidates(name)):
            if compared >= COMPARED:
                yield None
            elif pattern.matches(name):
                yield users
