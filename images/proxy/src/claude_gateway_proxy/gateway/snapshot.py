"""The current configuration: an immutable snapshot, replaced as a whole when the bundle folder has a new revision."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from claude_gateway.contract import client_keys
from claude_gateway.contract.bundle import Bundle, BundleError
from claude_gateway.contract.client import Client
from claude_gateway.contract.client_keys import Holder
from claude_gateway.contract.payers import Payers
from claude_gateway.contract.policy import Egress, Policy
from claude_gateway.contract.target import Target
from claude_gateway_proxy import policy_document
from claude_gateway_proxy.gateway.auth.callers import Callers
from claude_gateway_proxy.gateway.auth.certificates import Certificates
from claude_gateway_proxy.gateway.auth.keys import PersonalKey
from claude_gateway_proxy.gateway.auth.tokens import Tokens
from claude_gateway_proxy.gateway.routing.names import Routing
from claude_gateway_proxy.gateway.routing.route_ref import RouteRef


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One revision, ready to serve.

    ``secrets`` are by entry name; ``callers`` finds the client of a request. ``clients`` are all their names, ``rules``
    the names of all rules, and ``providers`` maps our names of providers to OpenTelemetry's. ``needs_worker``: a target
    may be called through the LiteLLM worker, as every one may that does not only forward its clients' own logins.
    ``payers`` finds the budgets that pay for a caller.
    """

    revision: str
    egress: Egress
    routing: Routing = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    callers: Callers = field(repr=False)
    clients: frozenset[str] = field(repr=False)
    rules: frozenset[str] = field(repr=False)
    providers: Mapping[str, str] = field(repr=False)
    needs_worker: bool
    payers: Payers = field(repr=False)


def build(bundle: Bundle) -> Snapshot:
    """Build the snapshot of a bundle. Raises BundleError if its parts do not fit together."""
    secrets = {name: _text(name, value) for name, value in bundle.secrets.items()}
    policy, routes = policy_document.read(bundle.gateway)
    refs: list[RouteRef] = []
    providers: dict[str, str] = {}
    rules: set[str] = set()
    needs_worker = False
    for route, raw in routes:
        refs.append(RouteRef.of(route, raw, release=policy.namespace))
        rules.update(rule.name for rule in route.rules)
        for target in route.all_targets:
            providers[target.provider] = target.telemetry_provider or target.provider
            needs_worker = needs_worker or not target.forward_client_token
            _check_entries(target, secrets)
    # Removed from the snapshot's secrets, because only the lookup needs the hashes.
    table = None if policy.client_keys is None else secrets.pop(policy.client_keys, None)
    keys = {} if policy.client_keys is None else _keys(policy, table)
    tokens = _tokens(policy, secrets)
    return Snapshot(
        revision=bundle.meta.revision,
        egress=policy.egress,
        routing=Routing(refs, policy.clients),
        secrets=secrets,
        callers=Callers(
            keys=keys, tokens=tokens, certificates=Certificates.of(policy.clients, release=policy.namespace)
        ),
        clients=frozenset(client.name for client in policy.clients),
        rules=frozenset(rules),
        providers=providers,
        needs_worker=needs_worker,
        payers=Payers(policy.budgets),
    )


def _check_entries(target: Target, secrets: Mapping[str, str]) -> None:
    for entry in target.entries:
        if entry not in secrets:
            raise BundleError(f"entry {entry} of the secret part is needed by {target.id} and missing")


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BundleError(f"entry {name} of the secret part is not text") from None


def _keys(policy: Policy, table: str | None) -> Mapping[str, Client | PersonalKey]:
    if table is None:
        raise BundleError(f"entry {policy.client_keys} of the secret part is needed for client keys and missing")
    try:
        holders = client_keys.read(table)
    except BundleError as error:
        raise BundleError(f"entry {policy.client_keys} of the secret part cannot be read: {error}") from None
    clients = {client.name: client for client in policy.clients}
    for stranger in sorted({holder.client for holder in holders.values()} - clients.keys()):
        raise BundleError(f"a client key belongs to '{stranger}', who is not among the clients")
    return {digest: _key(clients[holder.client], holder) for digest, holder in holders.items()}


def _key(client: Client, holder: Holder) -> Client | PersonalKey:
    # Most keys only have a client, and need no object of their own.
    return client if holder.plain else PersonalKey(client, holder.user, holder.team, holder.expires)


def _tokens(policy: Policy, secrets: Mapping[str, str]) -> Tokens:
    try:
        return Tokens.of(policy.clients, secrets=secrets, cluster=policy.cluster, egress=policy.egress)
    except KeyError as error:
        raise BundleError(f"entry {error.args[0]} of the secret part is needed for tokens and missing") from None
    except ValueError as error:
        raise BundleError(f"the keys of the cluster cannot be used: {error}") from None
