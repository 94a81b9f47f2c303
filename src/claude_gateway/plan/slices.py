"""Slices: digests of what a revision holds for each object, to compare two revisions object by object.

They are computed from the bundle alone, so they can also be computed for a revision that another process wrote.
``litellm.yaml`` is rendered from the same routes and adds nothing.

=============================  ==================================================================================
Name of the slice              What its digest covers
=============================  ==================================================================================
``route:<namespace>/<name>``   the route and its targets
``client:<namespace>/<name>``  the client and the hashes of its keys, and the keys of the cluster if it has
                               ServiceAccounts
``budget:<namespace>/<name>``  the budget
``key:<ref>``                  one key of a Secret, and the addresses that it is sent to; ``<ref>`` is its entry in
                               the secret part without the hash of the value
``place:<region or project>``  the pods' own identity in one place of a cloud
``federation:<ids>``           the pods' own identity at Anthropic
=============================  ==================================================================================

A credential's slice does not cover the routes that use it: one more route changes nothing for a credential that the
pods already hold.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from claude_gateway.api.claude_credential import ClaudeCredentialSpec
from claude_gateway.contract import client_keys
from claude_gateway.contract.bundle import Bundle, BundleError
from claude_gateway.contract.client_keys import Holder
from claude_gateway.contract.policy import Policy
from claude_gateway.contract.target import Aws, Federation, Google, Target
from claude_gateway.names import Kind
from claude_gateway.plan.credentials import federation
from claude_gateway.plan.credentials.credentials import entry_of, place_of
from claude_gateway.plan.world import Item

Slices = Mapping[str, str]
"""Digests by the name of the slice."""


_PREFIXES: Final[Mapping[str, str]] = {
    Kind.MODEL_ROUTE: "route",
    Kind.GATEWAY_CLIENT: "client",
    Kind.BUDGET: "budget",
}
_GIVEN: Final = {"provider", "base_url", "secret", "login", "aws", "google", "federation"}
"""Fields of a target that come from its credential."""


def slices(policy: Policy, holders: Mapping[str, Holder]) -> Slices:
    """Return the slices of a policy; ``holders`` says whose each client key is, by its SHA-256."""
    keys: dict[str, list[str]] = {}
    for digest, holder in holders.items():
        keys.setdefault(holder.client, []).append(client_keys.row(digest, holder))
    spending: dict[str, set[str]] = {}
    found: dict[str, str] = {}
    for route in policy.routes:
        found[f"route:{route.name}"] = _digest([route.model_dump_json()])
        for target in route.all_targets:
            spent = _spent(target)
            if spent is not None:
                spending.setdefault(spent, set()).add(target.model_dump_json(include=_GIVEN))
    for client in policy.clients:
        parts = [client.model_dump_json(), *sorted(keys.get(client.name, ()))]
        if client.service_accounts and policy.cluster is not None:
            parts.append(policy.cluster.model_dump_json())
        found[f"client:{client.name}"] = _digest(parts)
    for budget in policy.budgets:
        found[f"budget:{budget.name}"] = _digest([budget.model_dump_json()])
    found.update((spent, _digest(sorted(ids))) for spent, ids in spending.items())
    return found


def _spent(target: Target) -> str | None:
    """Return the name of the slice of the login, key or identity that a target uses."""
    entry = target.login or target.secret
    if entry is not None:
        return f"key:{entry.rpartition('.')[0]}"
    return _place(target.aws, target.google, target.federation)


def _place(aws: Aws | None, google: Google | None, federated: Federation | None) -> str | None:
    if aws is not None:
        return f"place:{aws.region}"
    if google is not None:
        return f"place:{google.project}/{google.location}"
    return None if federated is None else f"federation:{'/'.join(filter(None, dict(federated).values()))}"


def slices_of(bundle: Bundle) -> Slices | None:
    """Return the slices of a stored bundle; None if this version cannot read it."""
    try:
        policy = Policy.model_validate_json(bundle.gateway)
        holders = client_keys.read(bundle.secrets[policy.client_keys]) if policy.client_keys is not None else {}
    except (ValidationError, BundleError, KeyError):
        return None
    return slices(policy, holders)


def name(item: Item[Any]) -> str | None:
    """Return the name of the slice of an object whose spec could be read."""
    ref = item.ref
    if isinstance(item.spec, ClaudeCredentialSpec):
        entry = entry_of(ref.namespace, item.spec)
        return f"key:{entry}" if entry is not None else _place(*place_of(item.spec), _federation(item.spec))
    return f"{_PREFIXES[ref.kind]}:{ref.full_name}"


def _federation(spec: ClaudeCredentialSpec) -> Federation | None:
    return None if spec.workload_identity is None else federation.of(spec.workload_identity)


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]
