"""Decides from a World what the data plane should serve and which status each object gets."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from claude_gateway.api.base import seconds
from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.contract.bundle import Bundle, BundleError, Packed, pack
from claude_gateway.contract.policy import Policy, Route, Target, Timeouts
from claude_gateway.names import Reason
from claude_gateway.plan import base_urls, claims, clients, credentials, render, retirements, targets
from claude_gateway.plan.problem import ObjectRef, Problem, ordered
from claude_gateway.plan.programmed import Fleet
from claude_gateway.plan.rollout_state import RolloutState, compare
from claude_gateway.plan.slices import Slices
from claude_gateway.plan.status import Event, ObjectStatus, Standing, report
from claude_gateway.plan.world import Item, World


@dataclass(frozen=True, slots=True)
class Plan:
    """The desired state.

    ``bundle`` is None if it would be too large; the data plane then keeps what it serves. ``policy`` is the value that
    ``gateway.json`` is rendered from. ``problems`` are all mistakes, including those found while reading, in a fixed
    order. ``wake_at`` is when to decide again even if nothing changes; None if nothing depends on the time.

    The other fields are used only in a cluster and are empty elsewhere: ``packed`` is the bundle as it is stored,
    ``changed`` are the statuses that differ from those in the cluster, ``slices`` are the digests of what the policy
    holds for each object, ``fleet`` is the state of the proxy pods.
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
    """The routes of the policy. ``acceptable`` are those that have a name and at least one target with a valid spec."""

    routes: tuple[Route, ...]
    acceptable: frozenset[ObjectRef]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Statuses:
    """The statuses of all objects, those that changed, and the Events to write."""

    every: tuple[ObjectStatus, ...]
    changed: tuple[ObjectStatus, ...]
    events: tuple[Event, ...]


def decide(world: World, now: datetime) -> Plan:
    """Decide what the data plane does and which status each object gets; pure, deterministic, never raises.

    A target with a Problem is left out; its route serves with the other targets. A route without any usable target
    keeps its model names and the gateway answers them with 503: otherwise another route's wildcard would match them.
    """
    spent = credentials.resolve(world)
    callers = clients.resolve(world)
    routing = _routes(world, spent, now)
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
    unusual = base_urls.warnings(world)
    problems = ordered((*world.problems, *spent.problems, *callers.problems, *routing.problems, *unusual, *too_large))
    acceptable = spent.acceptable | callers.acceptable | routing.acceptable
    rollout = compare(world, policy, bundle, client_keys=callers.names, spendable=frozenset(spent.keys))
    statuses = _report(world, problems, acceptable=acceptable, rollout=rollout, now=now)
    return Plan(
        bundle=bundle,
        policy=policy,
        statuses=statuses.every,
        events=statuses.events,
        problems=problems,
        packed=packed,
        changed=statuses.changed,
        slices=rollout.wanted if rollout else {},
        fleet=rollout.fleet if rollout else Fleet(),
    )


def _routes(world: World, spent: credentials.Credentials, now: datetime) -> _Routes:
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
        problems.extend(retirements.warnings(item, item.spec, today=now.date()))
        if names:
            route = _route(item.ref, item.spec, names, resolved.targets)
            routes.append(route.model_copy(update={"alias": claimed.aliases.get(item.ref)}))
            acceptable.update([item.ref] if resolved.acceptable else [])
    routes.sort(key=lambda route: route.name)
    problems.extend(_safeguards_problems(world.routes, routes))
    return _Routes(routes=tuple(routes), acceptable=frozenset(acceptable), problems=tuple(problems))


def _safeguards_problems(items: Iterable[Item[ModelRouteSpec]], routes: Sequence[Route]) -> Iterator[Problem]:
    """Yield a Problem for each ``safeguardsModel`` that no route serves.

    Such a route still serves, but tool calls that its targets cannot judge are not judged.
    """
    exact = {name for route in routes for name in (*route.models, route.alias) if name is not None}
    patterns = [name for name in exact if "*" in name]
    for item in items:
        model = None if item.spec is None else item.spec.safeguards_model
        if model is None or model in exact or any(claims.matches(pattern, model) for pattern in patterns):
            continue
        message = f"no route serves the model `{model}`"
        fix = "Set a model name that a route serves, or add this name to the `models` of a route."
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
        estimate_tokens=spec.token_counts == "Estimate",  # noqa: S105 - not a secret
    )


def _bundle(policy: Policy, secrets: Mapping[str, bytes]) -> tuple[Bundle | None, Packed | None, list[Problem]]:
    bundle = render.bundle(policy, secrets)
    try:
        packed = pack(bundle)
    except BundleError as error:
        everything = ObjectRef(kind="Bundle", namespace="", name="bundle")
        fix = "Remove routes, targets or clients that are not needed. Until then the previous configuration stays live."
        return None, None, [Problem(everything, "size", Reason.TOO_LARGE, str(error), fix)]
    return bundle, packed, []


def _report(
    world: World,
    problems: Iterable[Problem],
    *,
    acceptable: frozenset[ObjectRef],
    rollout: RolloutState | None,
    now: datetime,
) -> _Statuses:
    """Compute the status of every object.

    A Problem with a document number is about another manifest of the same name, and is not part of the status.
    """
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
            programmed=rollout.condition(item) if rollout else None,
        )
        status, news = report(standing, now)
        statuses.append(status)
        changed.extend([status] if status.differs(item.conditions) else [])
        events.extend(news)
    return _Statuses(every=tuple(statuses), changed=tuple(changed), events=tuple(events))


def _name(ref: ObjectRef) -> str:
    return f"{ref.namespace}/{ref.name}"
