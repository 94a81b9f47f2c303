"""A model name to try a route with: one that the route names, or one that fits its pattern."""

from collections.abc import Iterable, Sequence
from typing import Final

from claude_gateway.contract.policy import Client, Route
from claude_gateway.plan.claims import matches

_ANY: Final = "*"
# Names that clients send today, the cheap ones first; used only for routes that have nothing but patterns and send on
# whatever name the client gives.
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
    """Whether a client may use a model name."""
    return any(matches(pattern, name) for pattern in client.models)


def name_for(route: Route, routes: Sequence[Route], *, client: Client | None = None) -> str | None:
    """A name that leads to a route and that the client may use; None if none can be told.

    A name as written comes first; then the targets' own names and those of today's models, if they fit a pattern of
    this route better than those of the others; then anything that fits, if no target sends on the client's name.
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
    """The route that a name leads to: an exact name, else the most literal pattern, then the one with fewest stars."""
    best: tuple[tuple[bool, int, int, str], str] | None = None
    for route in routes:
        for pattern in route.models:
            if not matches(pattern, name):
                continue
            stars = pattern.count(_ANY)
            rank = (stars > 0, stars - len(pattern), stars, pattern)
            if best is None or rank < best[0]:
                best = (rank, route.name)
    return None if best is None else best[1]
