"""The configuration in force: an immutable snapshot, swapped whole when the bundle folder names a new revision."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from claude_gateway.contract.bundle import Bundle, BundleError
from claude_gateway.contract.policy import Client, Egress, Policy, Route
from claude_gateway.names import GATEWAY_JSON
from claude_gateway_proxy.gateway.auth.callers import Callers
from claude_gateway_proxy.gateway.routing.names import RouteRef, Routing

_BATCH: Final = 50
_PAUSE_SECONDS: Final = 0.0005
"""After each batch of routes the loading thread pauses: a request must not wait for the rest of it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One revision, ready to serve.

    ``secrets`` are by entry name; ``callers`` finds the client of a request. ``providers`` and ``clients`` are all
    their names.
    """

    revision: str
    egress: Egress
    routing: Routing = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    callers: Callers = field(repr=False)
    clients: frozenset[str] = field(repr=False)
    providers: frozenset[str] = field(repr=False)


def build(bundle: Bundle) -> Snapshot:
    """Build the snapshot of a bundle. Raises BundleError if its parts do not fit together."""
    secrets = {name: _text(name, value) for name, value in bundle.secrets.items()}
    try:
        policy, parts = _split(bundle.gateway)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BundleError(f"{GATEWAY_JSON} is not the JSON that it should be: {error}") from None
    except ValidationError as error:
        raise BundleError(f"{GATEWAY_JSON} cannot be read: {_first(error)}") from None
    refs: list[RouteRef] = []
    providers: set[str] = set()
    for number, raw in enumerate(parts):
        if number % _BATCH == _BATCH - 1:
            time.sleep(_PAUSE_SECONDS)
        route = _route(number, raw)
        refs.append(RouteRef.of(route, raw))
        for target in route.targets:
            providers.add(target.provider)
            if target.secret is not None and target.secret not in secrets:
                raise BundleError(f"entry {target.secret} of the secret part is needed by {target.id} and missing")
    # Out of the snapshot's secrets: only the lookup needs the hashes.
    keys = {} if policy.client_keys is None else _keys(policy, secrets.pop(policy.client_keys, None))
    return Snapshot(
        revision=bundle.meta.revision,
        egress=policy.egress,
        routing=Routing(refs, policy.clients),
        secrets=secrets,
        callers=Callers(keys=keys),
        clients=frozenset(client.name for client in policy.clients),
        providers=frozenset(providers),
    )


def _split(data: bytes) -> tuple[Policy, list[bytes]]:
    """Decode ``gateway.json`` but for its routes: thousands in one call would hold the event loop up."""
    parts = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    routes = msgspec.json.decode(parts.pop("routes", b"[]"), type=list[msgspec.Raw])
    return Policy.model_validate_json(msgspec.json.encode(parts)), [bytes(route) for route in routes]


def _route(number: int, raw: bytes) -> Route:
    try:
        return Route.model_validate_json(raw)
    except ValidationError as error:
        raise BundleError(f"{GATEWAY_JSON} cannot be read: routes.{number}.{_first(error)}") from None


def _first(error: ValidationError) -> str:
    details: list[Any] = error.errors(include_url=False, include_context=False, include_input=False)
    return f"{'.'.join(str(part) for part in details[0]['loc'])}: {details[0]['msg']}"


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BundleError(f"entry {name} of the secret part is not text") from None


def _keys(policy: Policy, table: str | None) -> Mapping[str, Client]:
    if table is None:
        raise BundleError(f"entry {policy.client_keys} of the secret part is needed for client keys and missing")
    try:
        names = msgspec.json.decode(table, type=dict[str, str])
    except msgspec.DecodeError:
        raise BundleError(f"entry {policy.client_keys} of the secret part is not a table of client keys") from None
    clients = {client.name: client for client in policy.clients}
    for stranger in sorted(set(names.values()) - clients.keys()):
        raise BundleError(f"a client key belongs to '{stranger}', who is not among the clients")
    return {digest: clients[name] for digest, name in names.items()}
