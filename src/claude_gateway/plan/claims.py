"""Model name claims: each name or pattern belongs to one route, and the others get a Problem.

Within a namespace, the more literal of two names wins. Across namespaces the older one does: a name is refused if the
claim of an older route in another namespace covers it, unless that route admits the namespace.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.contract import tenancy
from claude_gateway.contract.model_ids import variants, without_provider
from claude_gateway.contract.patterns import STAR, Patterns
from claude_gateway.contract.tenancy import Namespaces
from claude_gateway.names import Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.secret import is_reference
from claude_gateway.plan.world import Item

COMPARED: Final = 256
"""The most patterns that a name is compared with, so that a flood of patterns cannot delay edits.

Only a message can be missed here: when a client first sends a name, the gateway compares it with all of them.
"""
PATTERNS: Final = 5000
"""The most patterns of one namespace: the gateway compares an unknown name with all that begin like it."""
_STARS: Final = re.compile(r"\*+")
_LISTED: Final = ("claude", "anthropic")
_SHOWN: Final = 3
_LAST: Final = "~"
"""Comes after every namespace."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A name that a route holds, or its alias; ``index`` is the name's place in ``spec.models``."""

    name: str
    route: ObjectRef
    age: tuple[float, str, str]
    admits: Namespaces
    index: int = 0

    @property
    def namespace(self) -> str:
        """The namespace of the route."""
        return self.route.namespace


@dataclass(frozen=True, slots=True)
class Claims:
    """The names that each route won, as the gateway will hold them, and the Problems of the claims that lost.

    ``aliases`` are additional names for routes whose own names Claude Code's model picker does not show.
    """

    won: Mapping[ObjectRef, tuple[str, ...]] = field(default_factory=dict)
    aliases: Mapping[ObjectRef, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


class _Register:
    """The claims settled so far, by name and by pattern."""

    def __init__(self, *, several: bool) -> None:
        """Start without claims; ``several`` says that the routes are in more than one namespace."""
        self._several = several
        self._named: dict[str, Claim] = {}
        self._aliases: dict[str, Claim] = {}
        self._patterns: Patterns[Claim] = Patterns()
        self._counts: dict[str, int] = defaultdict(int)

    def __contains__(self, name: str) -> bool:
        return name in self._named

    def add(self, claim: Claim) -> None:
        self._named[claim.name] = claim
        if STAR in claim.name:
            self._patterns.add(claim.name, claim)
            self._counts[claim.namespace] += 1

    def full(self, claim: Claim) -> bool:
        """Return whether a claim is a pattern beyond the limit of its namespace."""
        return STAR in claim.name and claim.name not in self._named and self._counts[claim.namespace] >= PATTERNS

    def add_alias(self, claim: Claim) -> None:
        self._aliases[claim.name] = claim

    def holder(self, claim: Claim) -> Claim | None:
        """Return the claim that keeps another one out; None if it can be added."""
        held = self._named.get(claim.name)
        if held is not None:
            return None if held.route == claim.route else held
        if not self._several:
            return None
        oldest_first = sorted({found for found in self._covering(claim) if found.age < claim.age}, key=_by_age)
        return next((each for each in tenancy.eligible(oldest_first) if tenancy.excludes(each, claim.namespace)), None)

    def _covering(self, claim: Claim) -> Iterator[Claim]:
        """Yield what covers a claim, under any of the names under which the gateway looks the model up."""
        bare = without_provider(claim.name)
        for name in (*variants(claim.name), *(() if bare is None else variants(bare))):
            for claims in (self._named, self._aliases):
                if name in claims:
                    yield claims[name]
            for pattern, found in islice(self._patterns.candidates(name), COMPARED):
                if found.namespace != claim.namespace and pattern.matches(name):
                    yield found


def settle(routes: Iterable[Item[ModelRouteSpec]]) -> Claims:
    """Settle all claims: the older route wins; of equal age, the first by namespace and name.

    A route that could not be read keeps only the names that no other route claims. So a mistake in it takes no name
    from another route, and another route's wildcard cannot match its names.
    """
    routes = tuple(routes)
    register = _Register(several=len({route.ref.namespace for route in routes}) > 1)
    won: dict[ObjectRef, tuple[str, ...]] = {}
    aliases: dict[ObjectRef, str] = {}
    problems: list[Problem] = []
    contested: dict[ObjectRef, list[tuple[Claim, Claim]]] = defaultdict(list)
    for route in sorted(routes, key=lambda item: (item.spec is None, *item.age)):
        admits = _admits(route)
        mine: dict[str, None] = {}
        for index, written in enumerate(route.claims):
            claim = Claim(canonical(written), route.ref, route.age, admits, index)
            refused = _refused(route, index, written)
            holder = register.holder(claim) if refused is None else None
            if holder is None and refused is None and register.full(claim):
                refused = _too_many(route, index)
            if holder is not None:
                refused = _taken(route, index, written, holder)
                if holder.namespace != claim.namespace and route.spec is not None:
                    contested[holder.route].append((claim, holder))
            if refused is not None:
                problems.append(refused)
                continue
            register.add(claim)
            mine[claim.name] = None
        won[route.ref] = tuple(mine)
        alias = _alias(won[route.ref])
        if alias is not None and register.holder(named := _implied(alias, route, admits)) is None:
            register.add_alias(named)
            aliases[route.ref] = alias
    readable = [route for route in routes if route.spec is not None]
    kept = {route.ref for route in readable}
    aliases = {ref: alias for ref, alias in aliases.items() if alias not in register}
    reported = [problem for problem in problems if problem.object in kept]
    reported += [_contested(holder, lost) for holder, lost in contested.items() if holder in kept]
    reported += [problem for route in readable for problem in _unlisted(route, aliases.get(route.ref))]
    return Claims(won=won, aliases=aliases, problems=tuple(reported))


def canonical(pattern: str) -> str:
    """Return the canonical spelling of a pattern: ``a**`` means the same as ``a*`` and is the same claim."""
    return _STARS.sub(STAR, pattern)


def _admits(route: Item[ModelRouteSpec]) -> Namespaces:
    """Return the namespaces whose routes may take names that this route's names cover."""
    return frozenset() if route.spec is None else tenancy.namespaces(route.spec.allowed_routes.listed)


def _implied(alias: str, route: Item[ModelRouteSpec], admits: Namespaces) -> Claim:
    """Return the claim on an alias: no user wrote it, so every written claim of the same age comes first."""
    return Claim(alias, route.ref, (route.age[0], _LAST, ""), admits)


def _by_age(claim: Claim) -> tuple[float, str, str]:
    return claim.age


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


def _too_many(route: Item[ModelRouteSpec], index: int) -> Problem:
    message = f"the routes of namespace {route.ref.namespace} have more than {PATTERNS} names with `*`"
    fix = "Write names without `*`, or remove patterns that others of the namespace cover."
    return Problem(route.ref, f"spec.models[{index}]", Reason.TOO_LARGE, message, fix)


def _taken(route: Item[ModelRouteSpec], index: int, written: str, holder: Claim) -> Problem:
    """Return the Problem of a name that another route, or an older claim of another namespace, keeps from a route."""
    same = canonical(written) == holder.name
    message = f"`{written}` already belongs to {holder.route}, which is older or comes first by name"
    fix = "Use another name, or remove this one from the other route."
    if not same:
        message = f"`{holder.name}` of {holder.route}, which is older and in another namespace, covers `{written}`"
        fix = f"Use another name, or have `spec.allowedRoutes` of the other route admit {route.ref.namespace}."
    return Problem(route.ref, f"spec.models[{index}]", Reason.MODEL_TAKEN, message, fix, other=holder.route)


def _contested(holder: ObjectRef, lost: Sequence[tuple[Claim, Claim]]) -> Problem:
    """Warn a route whose names are also claimed by routes in other namespaces; the list is bounded."""
    claimed = ", ".join(f"`{claim.name}` ({claim.route})" for claim, _ in lost[:_SHOWN])
    more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
    return Problem(
        object=holder,
        field=f"spec.models[{lost[0][1].index}]",
        reason=Reason.MODEL_CONTESTED,
        message=f"other namespaces claim names of this older route, which keeps them: {claimed}{more}",
        fix="Nothing needs to be done. `spec.allowedRoutes` lets other namespaces take more literal names.",
        severity=Severity.WARNING,
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
