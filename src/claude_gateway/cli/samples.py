"""Finds a model name to test a route with: one that the route lists, or one that matches its pattern."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from claude_gateway.contract import tenancy
from claude_gateway.contract.client import Client
from claude_gateway.contract.patterns import STAR, Pattern, Patterns, matches
from claude_gateway.contract.policy import Policy
from claude_gateway.contract.route import Route

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


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a route claims by one of its names; the smallest rank is the most specific name."""

    route: Route
    age: int
    rank: tuple[int, int, str]

    @property
    def namespace(self) -> str:
        return tenancy.namespace_of(self.route.name)

    @property
    def admits(self) -> tenancy.Namespaces:
        return tenancy.namespaces(self.route.routes_from)


class Served:
    """Routes indexed by their model names, to find the one that serves a name as the gateway finds it."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Index every name and pattern once; ``routes`` are in order of age."""
        self._named: dict[str, _Claim] = {}
        self._patterns: Patterns[_Claim] = Patterns()
        for age, route in enumerate(routes):
            for name in route.models:
                if STAR in name:
                    self._patterns.add(name, _Claim(route, age, Pattern.of(name).rank))
                else:
                    self._named[name] = _Claim(route, age, (-len(name) - 1, 0, name))

    def winner(self, name: str) -> str | None:
        """Return the route that serves a name; None if there is none.

        It is the one with the exact name, else with the most literal pattern with the fewest stars, among those that
        no older route of another namespace keeps out.
        """
        claims = [claim for pattern, claim in self._patterns.candidates(name) if pattern.matches(name)]
        claims += [self._named[name]] if name in self._named else []
        counted = list(tenancy.eligible(sorted(claims, key=lambda claim: claim.age)))
        return min(counted, key=lambda claim: claim.rank).route.name if counted else None


def may_use(client: Client, name: str) -> bool:
    """Return whether a client may use a model name."""
    return any(matches(pattern, name) for pattern in client.models)


def routes_for(policy: Policy, client: Client | None) -> Sequence[Route]:
    """Return the routes that a client may use; all of them without a client."""
    if client is None:
        return policy.routes
    return [route for route in policy.routes if tenancy.may_use(route, client.name, release=policy.namespace)]


def takes_own_login(route: Route) -> bool:
    """Return whether a route only forwards clients' own logins, so that a gateway key alone gets no answer."""
    return bool(route.targets) and all(target.forward_client_token for target in route.all_targets)


def name_for(route: Route, served: Served, *, client: Client | None = None) -> str | None:
    """Return a model name that this route serves and that the client may use; None if none is known.

    Literal names come first; then the targets' own names and those of current models, if this route has the best
    matching pattern; then any name that matches, if no target passes on the client's name.
    """
    candidates = [name for name in route.models if STAR not in name]
    own = [target.model for target in route.targets if target.model != STAR]
    candidates += own
    candidates += _KNOWN
    if len(own) == len(route.targets):
        candidates += [pattern.replace(STAR, "test") for pattern in route.models]
    for name in candidates:
        if served.winner(name) == route.name and (client is None or may_use(client, name)):
            return name
    return None
