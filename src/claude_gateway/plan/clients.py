"""Clients that may call the gateway, and the hashes of their keys."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from claude_gateway.api.gateway_client import GatewayClientSpec
from claude_gateway.contract import policy
from claude_gateway.names import Reason
from claude_gateway.plan.problem import ObjectRef, Problem
from claude_gateway.plan.secret import find
from claude_gateway.plan.status import about_references
from claude_gateway.plan.world import Item, World

SHORTEST_KEY: Final = 16
"""Minimum number of characters of a client key."""


@dataclass(frozen=True, slots=True)
class Clients:
    """Clients with at least one usable key. ``names`` maps the SHA-256 of each key to the client's name.

    ``acceptable`` are the clients with at least one key that was not rejected, even if its Secret was not found.
    """

    clients: tuple[policy.Client, ...]
    names: Mapping[str, str] = field(repr=False)
    acceptable: frozenset[ObjectRef]
    problems: tuple[Problem, ...]


def resolve(world: World) -> Clients:
    """Resolve the keys of all clients; a key that two clients use belongs to the older one."""
    holders: dict[str, ObjectRef] = {}
    clients: list[policy.Client] = []
    acceptable: set[ObjectRef] = set()
    problems: list[Problem] = []
    for item in sorted(world.clients, key=lambda item: item.age):
        if item.spec is None:
            continue
        outcomes = [_claim(item, item.spec, index, world, holders) for index in range(len(item.spec.keys))]
        problems.extend(outcome for outcome in outcomes if outcome is not None)
        if None in outcomes:
            clients.append(policy.Client(name=_name(item.ref), models=item.spec.models))
        if any(outcome is None or about_references(outcome) for outcome in outcomes):
            acceptable.add(item.ref)
    return Clients(
        clients=tuple(sorted(clients, key=lambda client: client.name)),
        names={digest: _name(ref) for digest, ref in sorted(holders.items())},
        acceptable=frozenset(acceptable),
        problems=tuple(problems),
    )


def _claim(
    item: Item[GatewayClientSpec],
    spec: GatewayClientSpec,
    index: int,
    world: World,
    holders: dict[str, ObjectRef],
) -> Problem | None:
    """Claim one key for a client; returns a Problem, or None if the key now belongs to the client."""
    at = f"spec.keys[{index}].secretRef"
    key = find(world.secrets, spec.keys[index].secret_ref, owner=item.ref, at=at, unreadable=world.unreadable)
    if isinstance(key, Problem):
        return key
    problem = _key_problem(item.ref, key, at)
    if problem is not None:
        return problem
    holder = holders.setdefault(hashlib.sha256(key.encode()).hexdigest(), item.ref)
    if holder == item.ref:
        return None
    fix = "Create a separate key for each client with `claude-gateway key new`."
    return Problem(item.ref, at, Reason.KEY_TAKEN, f"the key already belongs to {holder}", fix, other=holder)


def _key_problem(owner: ObjectRef, key: str, at: str) -> Problem | None:
    fix = "Create a key with `claude-gateway key new`."
    if len(key) < SHORTEST_KEY:
        message = f"the key has fewer than {SHORTEST_KEY} characters"
        return Problem(owner, at, Reason.KEY_TOO_SHORT, message, fix)
    if key.lower().startswith("sk-ant-"):
        # Claude Code also sends a key of this form to Anthropic's own host, whatever its base URL is.
        message = (
            "the key looks like an Anthropic API key (`sk-ant-...`), so Claude Code would also send it to Anthropic"
        )
        return Problem(owner, at, Reason.KEY_NOT_ALLOWED, message, fix)
    return None


def _name(ref: ObjectRef) -> str:
    return f"{ref.namespace}/{ref.name}"
