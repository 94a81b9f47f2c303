"""Decides from a World what the data plane should serve and which status each object gets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from claude_gateway.api.base import seconds
from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.contract.bundle import Bundle, Packed
from claude_gateway.contract.policy import Policy
from claude_gateway.contract.route import Affinity, Cache, Mirror, Route, Timeouts
from claude_gateway.plan import capacity, claims, rates, reporting, suspension
from claude_gateway.plan.budgets import budget_status, budgets
from claude_gateway.plan.capacity import Content
from claude_gateway.plan.clients import clients, service_accounts
from claude_gateway.plan.credentials import backend_callers, credentials, subscriptions
from claude_gateway.plan.credentials.backend_callers import BackendCallers
from claude_gateway.plan.problem import ObjectRef, Problem, ordered
from claude_gateway.plan.rollout_state import compare
from claude_gateway.plan.routes import base_urls, judges, pricing, retirements, route_rules, targets
from claude_gateway.plan.routes.targets import Resolved
from claude_gateway.plan.slices import Slices
from claude_gateway.plan.status.programmed import Fleet
from claude_gateway.plan.status.status import Event, ObjectStatus
from claude_gateway.plan.status.stored_status import StatusWrite
from claude_gateway.plan.world import Item, World


@dataclass(frozen=True, slots=True)
class Plan:
    """The desired state.

    ``bundle`` holds everything that fits, ``packed`` is the same as it is stored. ``policy`` is the value that
    ``gateway.json`` is rendered from. ``problems`` are all mistakes, including those found while reading, in a fixed
    order. ``wake_at`` is when to decide again even if nothing changes; None if nothing depends on the time.

    The other fields are used only in a cluster and are empty elsewhere: ``changed`` are the statuses to write, because
    those in the cluster differ, ``slices`` are the digests of what the policy holds for each object, ``fleet`` is the
    state of the proxy pods. ``callers`` are the programs that may ask the Claude Code backend directly,
    ``login_secrets`` the names of the Secrets that the sign-in service may write, by namespace.
    """

    bundle: Bundle
    packed: Packed
    policy: Policy
    statuses: tuple[ObjectStatus, ...]
    events: tuple[Event, ...]
    problems: tuple[Problem, ...]
    wake_at: datetime | None = None
    changed: tuple[StatusWrite, ...] = ()
    slices: Slices = field(default_factory=dict)
    fleet: Fleet = field(default_factory=Fleet)
    callers: BackendCallers = field(default_factory=BackendCallers)
    login_secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Routes:
    """The routes of the policy. ``acceptable`` are those that have a name and at least one valid target."""

    routes: tuple[Route, ...]
    acceptable: frozenset[ObjectRef]
    problems: tuple[Problem, ...]
    served: judges.Served


def decide(world: World, now: datetime) -> Plan:
    """Decide what the data plane does and which status each object gets; pure, deterministic, never raises.

    A target with a Problem is left out; its route serves with the other targets. A route without any usable target
    keeps its model names and the gateway answers them with 503: otherwise another route's wildcard would match them.
    """
    spent = credentials.resolve(world)
    callers = clients.resolve(world, now)
    routing = _routes(world, spent, now)
    paying = budgets.resolve(world, served=routing.served, clients=callers.clients, holders=callers.holders)
    content = Content(
        namespace=world.settings.namespace,
        routes=routing.routes,
        clients=callers.clients,
        budgets=paying.budgets,
        keys=callers.holders,
        secrets={
            **{entry: value for key in spent.keys.values() for entry, value in key.secrets.items()},
            **callers.secrets,
        },
        egress=subscriptions.egress(world.settings) if spent.uses_backend else world.settings.egress,
        cluster=service_accounts.issuer(world, callers.clients),
    )
    served: tuple[Item[Any], ...] = (*world.routes, *world.clients, *world.budgets)
    fitted = capacity.fit(content, {item.ref: item.age for item in served})
    outside = backend_callers.resolve(world, spent.keys, clients=callers.holders)
    parts = (spent, callers, outside, routing, paying, fitted)
    own = (*base_urls.warnings(world), *suspension.warnings(world))
    found = (*world.problems, *own, *(problem for part in parts for problem in part.problems))
    problems = ordered(found)
    acceptable = (spent.acceptable | callers.acceptable | routing.acceptable | paying.acceptable) - fitted.rejected
    rollout = compare(world, fitted, spendable=frozenset(spent.keys) | spent.suspended)
    statuses = reporting.report(
        world, problems, acceptable=acceptable, rollout=rollout, keys=spent.keys, routes=fitted.policy.routes, now=now
    )
    return Plan(
        bundle=fitted.bundle,
        packed=fitted.packed,
        policy=fitted.policy,
        statuses=statuses.every,
        events=statuses.events,
        problems=problems,
        wake_at=budget_status.wake_at(world, now),
        changed=statuses.changed,
        slices=rollout.wanted if rollout else {},
        fleet=rollout.fleet if rollout else Fleet(),
        callers=outside,
        login_secrets=subscriptions.login_secrets(world),
    )


def _routes(world: World, spent: credentials.Credentials, now: datetime) -> _Routes:
    claimed = claims.settle(world.routes)
    known = frozenset(item.ref for item in world.clients)
    problems = list(claimed.problems)
    routes: list[Route] = []
    acceptable: set[ObjectRef] = set()
    for item in sorted(world.routes, key=lambda item: item.age):
        names = claimed.won[item.ref]
        if item.spec is None:
            routes.extend([Route(name=item.ref.full_name, models=names, targets=())] if names else [])
            continue
        resolved = targets.resolve(item, item.spec, world, spent)
        problems.extend(resolved.problems)
        problems.extend(retirements.warnings(item, item.spec, today=now.date()))
        if names:
            route = _route(item.ref, item.spec, names, resolved)
            routes.append(route.model_copy(update={"alias": claimed.aliases.get(item.ref)}))
            problems.extend(pricing.warnings(item.ref, item.spec, route))
            problems.extend(route_rules.warnings(item.ref, route, clients=known, release=world.settings.namespace))
            acceptable.update([item.ref] if resolved.acceptable else [])
    served = judges.Served(routes, release=world.settings.namespace)
    problems.extend(judges.problems(world.routes, served))
    return _Routes(tuple(routes), acceptable=frozenset(acceptable), problems=tuple(problems), served=served)


def _mirror(spec: ModelRouteSpec, resolved: Resolved) -> Mirror | None:
    """Return the candidate of a route if it can serve at all."""
    if spec.mirror is None or resolved.mirror is None or not resolved.targets:
        return None
    return Mirror(target=resolved.mirror, percent=spec.mirror.percent)


def _cache(spec: ModelRouteSpec) -> Cache | None:
    if spec.cache is None:
        return None
    ttl, most = seconds(spec.cache.ttl), spec.cache.max_bytes
    return Cache(ttl=ttl) if most is None else Cache(ttl=ttl, max_bytes=most)


def _route(ref: ObjectRef, spec: ModelRouteSpec, names: tuple[str, ...], resolved: Resolved) -> Route:
    timeouts, listed = spec.timeouts, spec.allowed_clients.clients
    return Route(
        name=ref.full_name,
        models=names,
        display_name=spec.display_name,
        targets=() if spec.suspend else resolved.targets.get(None, ()),
        rules=() if spec.suspend else route_rules.rules(ref, spec, resolved.targets),
        mirror=None if spec.suspend else _mirror(spec, resolved),
        cache=_cache(spec),
        timeouts=Timeouts(
            first_token=seconds(timeouts.first_token), idle=seconds(timeouts.idle), total=seconds(timeouts.total)
        ),
        safeguards_model=spec.safeguards_model,
        estimate_tokens=spec.token_counts == "Estimate",  # noqa: S105 - not a secret
        affinity=Affinity(spec.affinity),
        clients_from=spec.allowed_clients.listed,
        only_clients=None if listed is None else tuple(f"{ref.namespace}/{name}" for name in listed),
        routes_from=spec.allowed_routes.listed,
        suspended=bool(spec.suspend),
        limits=rates.of(spec.limits),
    )
