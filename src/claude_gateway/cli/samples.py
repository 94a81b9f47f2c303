"""Finds a model name to test a route with: one that the route lists, or one that matches its pattern."""

from collections.abc import Iterable
from typing import Final

from claude_gateway.contract.pattern import STAR, Patterns, matches
from claude_gateway.contract.policy import Client, Route

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


class Served:
    """The routes of a policy, indexed by their model names."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Index every name and pattern once."""
        named = [(name, route.name) for route in routes for name in route.models]
        self._exact = {name: route for name, route in named if STAR not in name}
        self._patterns = Patterns((name, route) for name, route in named if STAR in name)

    def winner(self, name: str) -> str | None:
        """Return the route that serves a name: by exact name, else by the most literal pattern."""
        best = self._patterns.best(name)
        return self._exact.get(name) or (None if best is None else best[1])


def may_use(client: Client, name: str) -> bool:
    """Return whether a client may use a model name."""
    return any(matches(pattern, name) for pattern in client.models)


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
