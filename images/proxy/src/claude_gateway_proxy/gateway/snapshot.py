"""The configuration in force: an immutable snapshot, swapped whole when the bundle folder names a new revision."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle, BundleError, unpack
from claude_gateway.contract.policy import Client, Egress, Policy, Route
from claude_gateway.contract.report import ProcessReport
from claude_gateway.names import GATEWAY_JSON
from claude_gateway_proxy.gateway.router import Entry, Routing

_POLL_SECONDS: Final = 0.1
_RETRY_SECONDS: Final = 2.0
_BATCH: Final = 50
_PAUSE_SECONDS: Final = 0.0005
"""After each batch of routes the loading thread pauses: a request must not wait for the rest of it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One revision, ready to serve.

    ``secrets`` by entry name; ``keys`` are clients by SHA-256 (hex) of their key. ``providers`` and ``clients`` are
    all the names that there are.
    """

    revision: str
    egress: Egress
    routing: Routing = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    keys: Mapping[str, Client] = field(repr=False)
    clients: frozenset[str] = field(repr=False)
    providers: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A new snapshot is in force; ``seconds`` is what it took to read and build it."""

    snapshot: Snapshot
    seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A revision could not be loaded; what was in force stays so."""

    revision: str
    error: str


class Live:
    """Follows a bundle folder. A revision that cannot be loaded leaves the one before in force."""

    def __init__(self, bundle_dir: Path, *, on_change: Callable[[Loaded | Refused], None]) -> None:
        """Follow ``bundle_dir`` once ``run`` does; ``on_change`` is called in the event loop after each attempt."""
        self.snapshot: Snapshot | None = None
        self._bundle_dir = bundle_dir
        self._on_change = on_change
        self._refused: Refused | None = None
        self._retry_at = 0.0

    def report(self, *, in_flight: int) -> ProcessReport:
        """What serves now, and what was refused since."""
        return ProcessReport(
            revision=None if self.snapshot is None else self.snapshot.revision,
            refused=None if self._refused is None else self._refused.revision,
            error=None if self._refused is None else self._refused.error,
            in_flight=in_flight,
        )

    async def run(self) -> None:
        """Poll the folder until cancelled: one ``readlink`` each time, and a thread for what is new."""
        while True:
            await self.check()
            await asyncio.sleep(_POLL_SECONDS)

    async def check(self) -> None:
        """Load the current revision if it is new, or was refused a while ago."""
        revision = folder.current(self._bundle_dir)
        if revision is None or not self._wanted(revision):
            return
        began = time.monotonic()
        try:
            snapshot = await asyncio.to_thread(load, self._bundle_dir, revision)
        except (BundleError, OSError) as error:
            self._refuse(Refused(revision=revision, error=str(error)))
            return
        self.snapshot, self._refused = snapshot, None
        self._on_change(Loaded(snapshot=snapshot, seconds=time.monotonic() - began))

    def _wanted(self, revision: str) -> bool:
        if self.snapshot is not None and self.snapshot.revision == revision:
            self._refused = None
            return False
        again = self._refused is not None and self._refused.revision == revision
        return not again or time.monotonic() >= self._retry_at

    def _refuse(self, refused: Refused) -> None:
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        if refused != self._refused:
            self._refused = refused
            self._on_change(refused)


def load(bundle_dir: Path, revision: str) -> Snapshot:
    """Read, verify and build one revision.

    Raises BundleError with the part and the reason, never a secret value; OSError as the file system does.
    """
    bundle = unpack(folder.read(bundle_dir, revision))
    if bundle.meta.revision != revision:
        raise BundleError(f"the folder of revision {revision} holds {bundle.meta.revision}")
    return build(bundle)


def build(bundle: Bundle) -> Snapshot:
    """Build the snapshot of a bundle. Raises BundleError if its parts do not fit together."""
    secrets = {name: _text(name, value) for name, value in bundle.secrets.items()}
    try:
        policy, parts = _split(bundle.gateway)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BundleError(f"{GATEWAY_JSON} is not the JSON that it should be: {error}") from None
    except ValidationError as error:
        raise BundleError(f"{GATEWAY_JSON} cannot be read: {_first(error)}") from None
    entries: list[Entry] = []
    providers: set[str] = set()
    for number, raw in enumerate(parts):
        if number % _BATCH == _BATCH - 1:
            time.sleep(_PAUSE_SECONDS)
        route = _route(number, raw)
        entries.append(Entry.of(route, raw))
        for target in route.targets:
            providers.add(target.provider)
            if target.secret is not None and target.secret not in secrets:
                raise BundleError(f"entry {target.secret} of the secret part is needed by {target.id} and missing")
    # Out of the snapshot's secrets: only the lookup needs the hashes.
    keys = {} if policy.client_keys is None else _keys(policy, secrets.pop(policy.client_keys, None))
    return Snapshot(
        revision=bundle.meta.revision,
        egress=policy.egress,
        routing=Routing(entries, policy.clients),
        secrets=secrets,
        keys=keys,
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
