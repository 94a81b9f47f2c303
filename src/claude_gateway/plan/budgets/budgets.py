"""Budgets as the data plane holds them, and what is wrong with them.

A mistake never switches a budget off: what cannot be used of it (a parent, a subject, a model to route to) is left
out, and the rest counts.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from claude_gateway.api.budget import BudgetSpec
from claude_gateway.contract import money, tenancy
from claude_gateway.contract.budget import ANY, LONGEST_CHAIN, MOST_OF_ONE, Action, Budget, Period
from claude_gateway.contract.client import Client
from claude_gateway.contract.client_keys import Holder
from claude_gateway.names import Kind, Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.routes.judges import Served
from claude_gateway.plan.world import World


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets of the policy, sorted by name. ``acceptable`` are those with a valid spec: they all count."""

    budgets: tuple[Budget, ...]
    acceptable: frozenset[ObjectRef]
    problems: tuple[Problem, ...]


_Counted = tuple[str, str, str]
"""A namespace, a field of its Budgets, and a name in that field."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What budgets may name: the budgets themselves, the clients, and the teams of keys."""

    budgets: Mapping[ObjectRef, BudgetSpec]
    clients: frozenset[str]
    tokens: frozenset[str]
    teams: Mapping[str, frozenset[str]]
    release: str


def resolve(world: World, *, served: Served, clients: Iterable[Client], holders: Mapping[str, Holder]) -> Budgets:
    """Resolve what the budgets refer to; ``clients`` and ``holders`` (of keys) are those of the policy."""
    oldest_first = sorted(world.budgets, key=lambda item: item.age)
    specs = {item.ref: item.spec for item in oldest_first if item.spec is not None}
    known = _known(world, specs, clients, holders)
    parents, problems = _parents(specs, frozenset(item.ref for item in world.budgets))
    heirs = {parent for parent in parents.values() if parent is not None}
    found: list[Budget] = []
    counted = Counter[_Counted]()
    for ref, spec in specs.items():
        covered, mistakes = _clients(ref, spec, known)
        problems.extend(mistakes)
        problems.extend(_nobody(ref, spec, known, parent=ref in heirs))
        routed = spec.route_to is None or served.to(spec.route_to, ref.namespace)
        problems.extend([] if routed else [_no_route(ref, spec)])
        named = {"clients": covered, "teams": spec.teams or (), "groups": spec.groups or ()}
        callers = {field: _room(ref, field, names, counted) for field, names in named.items()}
        problems.extend(
            _too_many(ref, field, named[field], kept) for field, kept in callers.items() if kept != named[field]
        )
        found.append(_budget(ref, spec, callers=callers, parent=parents[ref], routed=routed, known=known))
    return Budgets(
        budgets=tuple(sorted(found, key=lambda budget: budget.name)),
        acceptable=frozenset(specs),
        problems=tuple(problems),
    )


def _known(
    world: World, specs: Mapping[ObjectRef, BudgetSpec], clients: Iterable[Client], holders: Mapping[str, Holder]
) -> _Known:
    teams: dict[str, set[str]] = {}
    for holder in holders.values():
        teams.setdefault(tenancy.namespace_of(holder.client), set()).add(holder.team)
    return _Known(
        budgets=specs,
        clients=frozenset(item.ref.full_name for item in world.clients),
        tokens=frozenset(tenancy.namespace_of(client.name) for client in clients if client.tokens),
        teams={namespace: frozenset(named) for namespace, named in teams.items()},
        release=world.settings.namespace,
    )


def _budget(
    ref: ObjectRef,
    spec: BudgetSpec,
    *,
    callers: Mapping[str, tuple[str, ...]],
    parent: ObjectRef | None,
    routed: bool,
    known: _Known,
) -> Budget:
    return Budget(
        name=ref.full_name,
        amount=money.parse(spec.amount),
        period=Period(spec.period),
        parent=None if parent is None else parent.full_name,
        clients=callers["clients"],
        teams=callers["teams"],
        groups=callers["groups"],
        everywhere=ref.namespace == known.release,
        per_member=None if spec.per_member is None else money.parse(spec.per_member),
        action=Action(spec.action) if routed else Action.BLOCK,
        route_to=spec.route_to if routed else None,
        contact=spec.contact or "",
    )


def _room(ref: ObjectRef, field: str, names: Sequence[str], counted: Counter[_Counted]) -> tuple[str, ...]:
    """Return the names that not too many older Budgets of the namespace list, and count this Budget for them."""
    kept = tuple(name for name in names if counted[ref.namespace, field, name] < MOST_OF_ONE)
    counted.update((ref.namespace, field, name) for name in set(kept))
    return kept


def _too_many(ref: ObjectRef, field: str, names: Sequence[str], kept: Sequence[str]) -> Problem:
    left = sorted(set(names) - set(kept))
    others = f" and {len(left) - 1} more of the list" if len(left) > 1 else ""
    message = (
        f"{MOST_OF_ONE} older Budgets of this namespace name `{left[0]}`{others}, too; this one does not pay for it"
    )
    fix = "Remove the name here, or from an older Budget: each request is checked against all Budgets that pay for it."
    return _error(ref, f"spec.{field}", Reason.TOO_MANY_BUDGETS, message, fix)


def _parents(
    specs: Mapping[ObjectRef, BudgetSpec], written: frozenset[ObjectRef]
) -> tuple[dict[ObjectRef, ObjectRef | None], list[Problem]]:
    """Return the usable parent of each budget, so that every chain of parents ends and is short enough."""
    parents: dict[ObjectRef, ObjectRef | None] = {}
    problems: list[Problem] = []
    for ref, spec in specs.items():
        parent = None if spec.parent is None else ObjectRef(Kind.BUDGET, ref.namespace, spec.parent)
        if parent is not None and parent not in specs:
            problems.append(_no_parent(ref, parent, exists=parent in written))
            parent = None
        parents[ref] = parent
    for circle in _circles(parents):
        for ref in circle:
            parents[ref] = None
            message = f"{' → '.join(each.name for each in (*circle, circle[0]))} are ancestors of each other"
            fix = "Remove `parent` from one of them. Until then, all count without a parent."
            problems.append(_error(ref, "spec.parent", Reason.PARENTS_INVALID, message, fix))
    problems.extend(_shorten(parents))
    return parents, problems


def _circles(parents: Mapping[ObjectRef, ObjectRef | None]) -> list[list[ObjectRef]]:
    """Return the chains of parents that form a circle."""
    circles: list[list[ObjectRef]] = []
    seen: set[ObjectRef] = set()
    for start in parents:
        line: dict[ObjectRef, None] = {}
        ref: ObjectRef | None = start
        while ref is not None and ref not in seen:
            seen.add(ref)
            line[ref] = None
            ref = parents[ref]
        if ref in line:
            order = list(line)
            circles.append(order[order.index(ref) :])
    return circles


def _shorten(parents: dict[ObjectRef, ObjectRef | None]) -> Iterator[Problem]:
    """Cut chains of parents that are too long: the budget at the limit counts without its parent."""
    lengths: dict[ObjectRef, int] = {}
    for start in parents:
        line: list[ObjectRef] = []
        ref: ObjectRef | None = start
        while ref is not None and ref not in lengths:
            line.append(ref)
            ref = parents[ref]
        for each in reversed(line):
            parent = parents[each]
            lengths[each] = 1 if parent is None else lengths[parent] + 1
            if lengths[each] > LONGEST_CHAIN:
                parents[each], lengths[each] = None, 1
                message = f"more than {LONGEST_CHAIN} Budgets are in one chain of parents"
                fix = "Remove `parent`, or a Budget above this one. Until then, this Budget counts without a parent."
                yield _error(each, "spec.parent", Reason.PARENTS_INVALID, message, fix)


def _no_parent(ref: ObjectRef, parent: ObjectRef, *, exists: bool) -> Problem:
    if exists:
        message, fix = f"the Budget {parent.name} has problems of its own", "Fix what its own status names."
    else:
        message = f"the Budget {parent.name} does not exist in namespace {ref.namespace}"
        fix = "Create it, or remove `parent`. Until then, this Budget counts without a parent."
    return _error(ref, "spec.parent", Reason.PARENT_NOT_FOUND, message, fix)


def _clients(ref: ObjectRef, spec: BudgetSpec, known: _Known) -> tuple[tuple[str, ...], list[Problem]]:
    """Return the clients of a budget as the data plane matches them, and what is wrong with the others."""
    found: list[str] = []
    problems: list[Problem] = []
    everywhere = ref.namespace == known.release
    for number, written in enumerate(spec.clients or ()):
        at = f"spec.clients[{number}]"
        namespace, slash, name = written.rpartition("/")
        if not slash and name == ANY:
            found.append(ANY if everywhere else f"{ref.namespace}/{ANY}")
            continue
        namespace = namespace or ref.namespace
        if namespace != ref.namespace and not everywhere:
            message = f"a Budget of namespace {ref.namespace} does not pay for clients of namespace {namespace}"
            fix = "List clients of its own namespace, or create the Budget in the release's namespace."
            problems.append(_error(ref, at, Reason.CLIENT_NOT_ALLOWED, message, fix))
            continue
        found.append(f"{namespace}/{name}")
        if name != ANY and f"{namespace}/{name}" not in known.clients:
            message = f"GatewayClient {namespace}/{name} does not exist"
            fix = "Create it, or remove it from the list."
            problems.append(_warning(ref, at, Reason.CLIENT_NOT_FOUND, message, fix))
    return tuple(found), problems


def _nobody(ref: ObjectRef, spec: BudgetSpec, known: _Known, *, parent: bool) -> Iterator[Problem]:
    """Yield a warning for each part of a budget that no request can match."""
    if not (spec.clients or spec.teams or spec.groups or parent):
        fix = "List `clients`, `teams` or `groups`, or name it as the `parent` of another Budget."
        yield _warning(ref, "spec", Reason.NO_MATCHING_REQUESTS, "the Budget pays for nobody's requests", fix)
    everywhere = ref.namespace == known.release
    if known.tokens if everywhere else ref.namespace in known.tokens:
        # The claims of tokens are known only when a request brings them.
        return
    teams = frozenset().union(*known.teams.values()) if everywhere else known.teams.get(ref.namespace, frozenset())
    for number, team in enumerate(spec.teams or ()):
        if team not in teams:
            message = f"no key of a client is one of the team `{team}`, and no client identifies itself with tokens"
            fix = "Correct the name, or set `team` on the keys of its members."
            yield _warning(ref, f"spec.teams[{number}]", Reason.NO_MATCHING_REQUESTS, message, fix)
    if spec.groups:
        message = "only signed tokens have groups, and no client identifies itself with them"
        fix = "Add `jwt` to a GatewayClient, or use `teams` or `clients`."
        yield _warning(ref, "spec.groups", Reason.NO_MATCHING_REQUESTS, message, fix)


def _no_route(ref: ObjectRef, spec: BudgetSpec) -> Problem:
    message = f"no route serves the model `{spec.route_to}` to clients of namespace {ref.namespace}"
    fix = "Name a model that a route of this namespace serves. Until then, the Budget blocks when it is spent."
    return _error(ref, "spec.routeTo", Reason.MODEL_NOT_FOUND, message, fix)


def _error(ref: ObjectRef, at: str, reason: Reason, message: str, fix: str) -> Problem:
    return Problem(ref, at, reason, message, fix)


def _warning(ref: ObjectRef, at: str, reason: Reason, message: str, fix: str) -> Problem:
    return Problem(ref, at, reason, message, fix, severity=Severity.WARNING)
