"""The decision: from a World to everything that should be."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from claude_gateway.api.base import seconds
from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.contract.bundle import Bundle, BundleError, Packed, pack
from claude_gateway.contract.policy import Policy, Route, Target, Timeouts
from claude_gateway.names import Reason
from claude_gateway.plan import claims, clients, credentials, render, targets
from claude_gateway.plan.judge import Judge, appoint
from claude_gateway.plan.problem import ObjectRef, Problem, ordered
from claude_gateway.plan.programmed import Fleet
from claude_gateway.plan.slices import Slices
from claude_gateway.plan.status import Event, ObjectStatus, Standing, report
from claude_gateway.plan.world import Item, World


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that should be.

    ``bundle`` is None when it would be too large: what serves now stays. ``policy`` is the value behind
    ``gateway.json``. ``problems`` are all mistakes, those of reading included, in a fixed order. ``wake_at`` is when
    to decide again although nothing changed; None as long as nothing depends on the time.

    Of use in a cluster only: ``packed`` is the bundle as it is stored, ``changed`` are the statuses that differ from
    what the objects say, ``slices`` what the policy holds for each object, ``fleet`` the data plane; empty otherwise.
    """

    bundle: Bundle | None
    policy: Policy
    statuses: tuple[ObjectStatus, ...]
    events: tuple[Event, ...]
    problems: tuple[Problem, ...]
    wake_at: datetime | None = None
    packed: Packed | None = None
    changed: tuple[ObjectStatus, ...] = ()
    slices: Slices = field(default_factory=dict)
    fleet: Fleet = field(default_factory=Fleet)


@dataclass(frozen=True, slots=True)
class _Routes:
    """Routes as the gateway will hold them, and which of them have a name and a target that is sound in itself."""

    routes: tuple[Route, ...]
    acceptable: frozenset[ObjectRef]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Told:
    """What objects are told."""

    statuses: tuple[ObjectStatus, ...]
    changed: tuple[ObjectStatus, ...]
    events: tuple[Event, ...]


def decide(world: World, now: datetime) -> Plan:
    """Decide what the data plane does and what each object is told; pure, deterministic, never raises.

    A target with a Problem is left out and its route serves with the others. A route with no target left keeps its
    names, so that they never fall to somebody else's wildcard; the gateway answers them with 503.
    """
    spent = credentials.resolve(world)
    callers = clients.resolve(world)
    routing = _routes(world, spent)
    keys = render.client_keys(callers.names)
    policy = Policy(
        routes=routing.routes,
        clients=callers.clients,
        client_keys=next(iter(keys), None),
        egress=world.settings.egress,
    )
    used = {target.secret for route in policy.routes for target in route.targets}
    secrets = {key.entry: key.value for key in spent.keys.values() if key.entry is not None and key.entry in used}
    bundle, packed, too_large = _bundle(policy, {**secrets, **keys})
    problems = ordered((*world.problems, *spent.problems, *callers.problems, *routing.problems, *too_large))
    acceptable = spent.acceptable | callers.acceptable | routing.acceptable
    judge = appoint(world, policy, bundle, client_keys=callers.names, spendable=frozenset(spent.keys))
    told = _tell(world, problems, acceptable=acceptable, judge=judge, now=now)
    return Plan(
        bundle=bundle,
        policy=policy,
        statuses=told.statuses,
        events=told.events,
        problems=problems,
        packed=packed,
        changed=told.changed,
        slices=judge.wanted if judge else {},
        fleet=judge.fleet if judge else Fleet(),
    )


def _routes(world: World, spent: credentials.Credentials) -> _Routes:
    claimed = claims.settle(world.routes)
    problems = list(claimed.problems)
    routes: list[Route] = []
    acceptable: set[ObjectRef] = set()
    for item in world.routes:
        names = claimed.won[item.ref]
        if item.spec is None:
            routes.extend([Route(name=_name(item.ref), models=names, targets=())] if names else [])
            continue
        resolved = targets.resolve(item, item.spec, world, spent)
        problems.extend(resolved.problems)
        if names:
            route = _route(item.ref, item.spec, names, resolved.targets)
            routes.append(route.model_copy(update={"alias": claimed.aliases.get(item.ref)}))
            acceptable.update([item.ref] if resolved.acceptable else [])
    routes.sort(key=lambda route: route.name)
    problems.extend(_judge_problems(world.routes, routes))
    return _Routes(routes=tuple(routes), acceptable=frozenset(acceptable), problems=tuple(problems))


def _judge_problems(items: Iterable[Item[ModelRouteSpec]], routes: Sequence[Route]) -> Iterator[Problem]:
    """Tell of judges that nobody is: the route serves, and what its targets cannot judge stays without a judgement."""
    exact = {name for route in routes for name in (*route.models, route.alias) if name is not None}
    patterns = [name for name in exact if "*" in name]
    for item in items:
        judge = None if item.spec is None else item.spec.safeguards_model
        if judge is None or judge in exact or any(claims.matches(pattern, judge) for pattern in patterns):
            continue
        message = f"no route serves `{judge}`"
        fix = "Name a model that a route serves, or add it to the `models` of one."
        yield Problem(item.ref, "spec.safeguardsModel", Reason.MODEL_NOT_FOUND, message, fix)


def _route(ref: ObjectRef, spec: ModelRouteSpec, names: tuple[str, ...], resolved: tuple[Target, ...]) -> Route:
    timeouts = spec.timeouts
    return Route(
        name=_name(ref),
        models=names,
        display_name=spec.display_name,
        targets=resolved,
        timeouts=Timeouts(
            first_token=seconds(timeouts.first_token), idle=seconds(timeouts.idle), total=seconds(timeouts.total)
        ),
        safeguards_model=spec.safeguards_model,
        estimate_tokens=spec.token_counts == "Estimate",  # noqa: S105 - no secret
    )


def _bundle(policy: Policy, secrets: Mapping[str, bytes]) -> tuple[Bundle | None, Packed | None, list[Problem]]:
    bundle = render.bundle(policy, secrets)
    try:
        packed = pack(bundle)
    except BundleError as error:
        everything = ObjectRef(kind="Bundle", namespace="", name="bundle")
        fix = "Remove routes, targets or clients that are not needed; what served before goes on serving."
        return None, None, [Problem(everything, "size", Reason.TOO_LARGE, str(error), fix)]
    return bundle, packed, []


def _tell(
    world: World, problems: Iterable[Problem], *, acceptable: frozenset[ObjectRef], judge: Judge | None, now: datetime
) -> _Told:
    """Tell every object how it stands; a Problem with a document number is about something else of that name."""
    by_object: dict[ObjectRef, list[Problem]] = {}
    for problem in problems:
        if problem.document is None:
            by_object.setdefault(problem.object, []).append(problem)
    statuses: list[ObjectStatus] = []
    changed: list[ObjectStatus] = []
    events: list[Event] = []
    items: list[Item[Any]] = [*world.credentials, *world.clients, *world.routes]
    for item in items:
        standing = Standing(
            ref=item.ref,
            generation=item.metadata.generation,
            before=item.conditions,
            problems=tuple(by_object.get(item.ref, ())),
            readable=item.spec is not None,
            acceptable=item.ref in acceptable,
            programmed=judge.verdict(item) if judge else None,
        )
        status, news = report(standing, now)
        statuses.append(status)
        changed.extend([status] if status.differs(item.conditions) else [])
        events.extend(news)
    return _Told(statuses=tuple(statuses), changed=tuple(changed), events=tuple(events))


def _name(ref: ObjectRef) -> str:
    return f"{ref.namespace}/{ref.name}"
