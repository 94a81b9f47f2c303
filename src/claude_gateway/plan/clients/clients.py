"""Clients that may call the gateway, and the proofs of each: keys, tokens, certificates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from claude_gateway.contract.client import Client, Priority
from claude_gateway.contract.client_keys import Holder
from claude_gateway.plan import rates
from claude_gateway.plan.clients import (
    brakes,
    certificates,
    claude_settings,
    key_holders,
    service_accounts,
    token_rules,
)
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.status.status import about_references
from claude_gateway.plan.world import World


@dataclass(frozen=True, slots=True)
class Clients:
    """Clients with at least one usable proof. ``holders`` says whose each key is, by its SHA-256.

    ``secrets`` are the secrets of HS256 by entry. ``acceptable`` are the clients with at least one proof that was not
    rejected, even if its Secret was not found.
    """

    clients: tuple[Client, ...]
    holders: Mapping[str, Holder] = field(repr=False)
    secrets: Mapping[str, bytes] = field(repr=False)
    acceptable: frozenset[ObjectRef]
    problems: tuple[Problem, ...]


def resolve(world: World, now: datetime) -> Clients:
    """Resolve the proofs of all clients; a proof that two clients claim belongs to the older one."""
    keys = key_holders.resolve(world, now)
    tokens = token_rules.resolve(world)
    accounts = service_accounts.resolve(world)
    named = certificates.resolve(world)
    problems = (*keys.problems, *tokens.problems, *accounts.problems, *named.problems)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    clients: list[Client] = []
    acceptable = {problem.object for problem in errors if about_references(problem)}
    warnings: list[Problem] = []
    for item in world.clients:
        if item.spec is None:
            continue
        rules, listed = tokens.rules.get(item.ref, ()), accounts.listed.get(item.ref, ())
        if item.ref in keys.clients or rules or listed or item.ref in named.names:
            acceptable.add(item.ref)
            settings, problem = claude_settings.canonical(item.ref, item.spec.claude_settings)
            warnings.extend([problem] if problem else [])
            clients.append(
                Client(
                    name=item.ref.full_name,
                    models=item.spec.models,
                    settings=settings,
                    tokens=rules,
                    service_accounts=listed,
                    certificates=named.names.get(item.ref, ()),
                    certificate_rank=named.ranks.get(item.ref, 0),
                    suspended=bool(item.spec.suspend),
                    limits=rates.of(item.spec.limits),
                    priority=Priority(item.spec.priority),
                    brake=brakes.of(item.spec.brake),
                )
            )
    return Clients(
        clients=tuple(sorted(clients, key=lambda client: client.name)),
        holders=keys.holders,
        secrets=tokens.secrets,
        acceptable=frozenset(acceptable),
        problems=(*problems, *warnings),
    )
