"""Finds a model name to test a route with: one that the route lists, or one that matches its pattern."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from claude_gateway.contract import tenancy
from claude_gateway.contract.patterns import matches
from claude_gateway.contract.policy import Client, Policy, Route

_ANY: Final = "*"
# Names that clients send today, the cheap models first; used only for routes that list only patterns and pass on the
# name that the client sent.
_KNOWN: Final = (
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "gpt-5.4-mini",
    "gpt-5.4",
    "gemini-flash-latest",
    "gemini-pro-latest",
    "text-embedding-3-small",
)


def may_use(client: Client, name: str) -> bool:
    """Return whether a client may use a model name."""
    return any(matches(pattern, name) for pattern in client.models)


def routes_for(policy: Policy, client: Client | None) -> Sequence[Route]:
    """Return the routes that a client's namespace may use; all of them without a client."""
    if client is None:
        return policy.routes
    namespace = tenancy.namespace_of(client.name)
    return [route for route in policy.routes if tenancy.includes(tenancy.users(route, policy.namespace), namespace)]


def name_for(route: Route, routes: Sequence[Route], *, client: Client | None = None) -> str | None:
    """Return a model name that this route serves and that the client may use; None if none is known.

    Literal names come first; then the targets' own names and those of current models, if this route has the best
    matching pattern; then any name that matches, if no target passes on the client's name.
    """
    candidates = [name for name in route.models if _ANY not in name]
    own = [target.model for target in route.targets if target.model != _ANY]
    candidates += own
    candidates += _KNOWN
    if len(own) == len(route.targets):
        candidates += [pattern.replace(_ANY, "test") for pattern in route.models]
    for name in candidates:
        if winner(name, routes) == route.name and (client is None or may_use(client, name)):
            return name
    return None


def winner(name: str, routes: Iterable[Route]) -> str | None:
    """Return the route that serves a name, as the gateway finds it among routes in order of age.

    It is the one with the exact name, else with the most literal pattern with the fewest stars, among those that no
    older route of another namespace keeps out.
    """
    claims = [
        _Claim(rank=min(ranks), route=route)
        for route in routes
        if (ranks := [_rank(pattern) for pattern in route.models if matches(pattern, name)])
    ]
    counted = list(tenancy.eligible(claims))
    return min(counted, key=lambda claim: claim.rank).route.name if counted else None


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a route claims of one name."""

    rank: tuple[bool, int, int, str]
    route: Route

    @property
    def namespace(self) -> str:
        return tenancy.namespace_of(self.route.name)

    @property
    def admits(self) -> tenancy.Namespaces:
        return tenancy.namespaces(self.route.routes_from)


def _rank(pattern: str) -> tuple[bool, int, int, str]:
    stars = pattern.count(_ANY)
    return (stars > 0, stars - len(pattern), stars, pattern)
