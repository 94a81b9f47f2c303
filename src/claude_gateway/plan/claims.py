"""Model name claims: each name or pattern belongs to one route, and the others get a Problem."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.names import Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.secret import is_reference
from claude_gateway.plan.world import Item

_STARS: Final = re.compile(r"\*+")
_LISTED: Final = ("claude", "anthropic")


@dataclass(frozen=True, slots=True)
class Claims:
    """The names that each route won, as the gateway will hold them, and the Problems of the claims that lost.

    ``aliases`` are additional names for routes whose own names Claude Code's model picker does not show.
    """

    won: Mapping[ObjectRef, tuple[str, ...]] = field(default_factory=dict)
    aliases: Mapping[ObjectRef, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def settle(routes: Iterable[Item[ModelRouteSpec]]) -> Claims:
    """Settle all claims: the older route wins; of equal age, the first by namespace and name.

    A route that could not be read keeps only the names that no other route claims. A mistake in it therefore takes no
    name from another route, and does not let another route's wildcard match its own names.
    """
    holders: dict[str, ObjectRef] = {}
    won: dict[ObjectRef, tuple[str, ...]] = {}
    problems: list[Problem] = []
    for route in sorted(routes, key=lambda item: (item.spec is None, *item.age)):
        mine: dict[str, None] = {}
        for index, written in enumerate(route.claims):
            name = canonical(written)
            refused = _refused(route, index, written)
            holder = holders.setdefault(name, route.ref) if refused is None else route.ref
            if refused is not None:
                problems.append(refused)
            elif holder != route.ref:
                problems.append(_taken(route, index, written, holder))
            else:
                mine[name] = None
        won[route.ref] = tuple(mine)
    readable = [route for route in routes if route.spec is not None]
    kept = {route.ref for route in readable}
    aliases = {ref: alias for ref, names in won.items() if (alias := _alias(names)) and alias not in holders}
    unlisted = [problem for route in readable for problem in _unlisted(route, aliases.get(route.ref))]
    reported = (*(problem for problem in problems if problem.object in kept), *unlisted)
    return Claims(won=won, aliases=aliases, problems=reported)


def canonical(pattern: str) -> str:
    """Return the canonical spelling of a pattern: ``a**`` means the same as ``a*`` and is the same claim."""
    return _STARS.sub("*", pattern)


def _refused(route: Item[ModelRouteSpec], index: int, written: str) -> Problem | None:
    """Return a Problem for a name that LiteLLM could read as a reference to a secret."""
    if not is_reference(written):
        return None
    return Problem(
        object=route.ref,
        field=f"spec.models[{index}]",
        reason=Reason.MODEL_NOT_ALLOWED,
        message=f"`{written}` could be read as a reference to a secret",
        fix="Use another name.",
    )


def _taken(route: Item[ModelRouteSpec], index: int, written: str, holder: ObjectRef) -> Problem:
    return Problem(
        object=route.ref,
        field=f"spec.models[{index}]",
        reason=Reason.MODEL_TAKEN,
        message=f"`{written}` already belongs to {holder}, which is older or comes first by name",
        fix="Use another name, or remove this one from the other route.",
    )


def _alias(names: Sequence[str]) -> str | None:
    """Return a name that Claude Code's model picker shows, if the route has literal names but none that it shows."""
    literal = [name for name in names if "*" not in name]
    if not literal or any(name.startswith(_LISTED) for name in literal):
        return None
    return f"claude-{literal[0]}"


def _unlisted(route: Item[ModelRouteSpec], alias: str | None) -> list[Problem]:
    """Warn about a display name that Claude Code's model picker does not show, because of the route's model names."""
    if route.spec is None or route.spec.display_name is None:
        return []
    if any(name.startswith(_LISTED) and "*" not in name for name in route.claims):
        return []
    shows = "Claude Code's model picker shows only names without `*` that begin with `claude` or `anthropic`"
    return [
        Problem(
            object=route.ref,
            field="spec.displayName",
            reason=Reason.MODEL_NOT_LISTED,
            message=f"{shows}; it lists this route as `{alias}`" if alias else shows,
            fix="Add such a name to `spec.models`, or select the model in Claude Code by its name.",
            severity=Severity.WARNING,
        )
    ]
