"""Gathers the World: lists everything that a decision depends on, once per reconciliation."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from claude_gateway.api.claude_credential import ClaudeCredentialSpec
from claude_gateway.api.gateway_client import GatewayClientSpec
from claude_gateway.api.kinds import KINDS
from claude_gateway.contract.policy import Egress
from claude_gateway.names import Kind
from claude_gateway.plan import world as plan_world
from claude_gateway.plan.manifests import read as read_manifests
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.world import Item, World
from claude_gateway_operator import scope
from claude_gateway_operator.audit import Audit
from claude_gateway_operator.cluster_keys import ClusterIssuer
from claude_gateway_operator.object_watch import CREDENTIALS
from claude_gateway_operator.scope import Scope
from claude_gateway_operator.settings import Settings
from claude_gateway_runtime import kube
from claude_gateway_runtime.kube import Forbidden, Kube, Manifest, NotFound, Retryable
from claude_gateway_runtime.logs import emit

BELIEVE_SECONDS: Final = 30.0
"""How long a collection must be forbidden before the loss of the right is believed.

API servers also answer 403 for a short time while they start.
"""
READS: Final = 16
"""Concurrent reads of Secrets."""

_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Rights:
    """Remembers which collections could be read, and since when they are forbidden."""

    clock: Callable[[], float] = time.monotonic
    _had: set[str] = field(default_factory=set)
    _lost: dict[str, float] = field(default_factory=dict)

    def has(self, collection: str) -> None:
        """Record that a collection could be read."""
        self._had.add(collection)
        if self._lost.pop(collection, None) is not None:
            emit(_log, "right_given", collection=collection)

    def lacks(self, collection: str, error: Forbidden) -> None:
        """Record that a collection is forbidden. Raises Retryable while this may be temporary."""
        now = self.clock()
        if collection not in self._lost:
            self._lost[collection] = now
            emit(_log, "right_missing", level=logging.WARNING, collection=collection, error=str(error))
        if collection in self._had:
            if now - self._lost[collection] < BELIEVE_SECONDS:
                raise Retryable(str(error))
            self._had.discard(collection)


class Gatherer:
    """Lists our kinds and Secrets in all namespaces; caches the values of unchanged Secrets."""

    def __init__(self, connection: Kube, settings: Settings) -> None:
        """Prepare without listing anything yet."""
        self._kube = connection
        self._settings = settings
        self._rights = Rights()
        self._audit = Audit()
        self._read: dict[ObjectRef, tuple[str, Manifest]] = {}
        self._issuer = ClusterIssuer(connection.document)
        self._rules = plan_world.Settings(
            namespace=settings.namespace,
            egress=Egress(loopback=settings.egress_loopback, hosts=settings.egress_hosts),
            forward_hosts=settings.forward_hosts,
            identity_namespaces=frozenset({settings.namespace, *settings.identity_namespaces}),
            identity_token=settings.identity_token,
            strict=False,
            release=settings.release,
            claude_code_url=settings.claude_code_url,
            claude_auth_url=settings.claude_auth_url,
            caller_secrets=frozenset(settings.caller_secrets),
            audience=settings.audience,
            client_certificates=settings.client_certificates,
        )

    async def gather(self, *, claude_code_key: bytes = b"") -> World:
        """Return the World without the state of the pods, with the key of our own backend. Raises KubeError."""
        rules = replace(self._rules, claude_code_key=claude_code_key, scope=await self._scope())
        wanted = [each for kind in KINDS for each in scope.collections(self._settings, kind.plural)]
        found = await asyncio.gather(*map(self._kind, wanted))
        world = await asyncio.to_thread(read_manifests, _drained(found), rules)
        listed, unreadable = await self._listed()
        needed = sorted(set(references(world)))
        if unreadable is None:
            unreadable = frozenset(ref.namespace for ref in needed)
        manifests, refused = await self._values(needed, listed, unreadable)
        secrets = read_manifests(manifests, rules).secrets
        listed_accounts = any(item.spec is not None and item.spec.service_accounts for item in world.clients)
        cluster = await self._issuer.keys() if listed_accounts else None
        return replace(world, secrets=secrets, unreadable=unreadable | refused, cluster=cluster)

    async def _scope(self) -> Scope:
        try:
            found = await scope.selected(self._kube, self._settings)
        except Forbidden as error:
            self._rights.lacks(scope.NAMESPACES, error)
            return frozenset(self._settings.namespaces)
        self._rights.has(scope.NAMESPACES)
        return found

    async def _kind(self, collection: str) -> list[Manifest]:
        try:
            found = await self._kube.list(collection)
        except Forbidden as error:
            self._rights.lacks(collection, error)
            return []
        except NotFound as error:
            # The CRD does not exist yet or is being replaced. The live configuration must stay.
            raise Retryable(str(error)) from None
        self._rights.has(collection)
        await asyncio.to_thread(self._audit.look, collection, found)
        return found

    async def _listed(self) -> tuple[dict[ObjectRef, str], frozenset[str] | None]:
        """Return the labelled Secrets with their versions, and the namespaces whose Secrets may not be listed.

        None stands for all namespaces.
        """
        listed: dict[ObjectRef, str] = {}
        places = dict.fromkeys(scope.collections(self._settings, "secrets", api="v1"), True)

        async def of(collection: str) -> None:
            try:
                found = await self._kube.list(collection, label=CREDENTIALS, metadata_only=True)
            except Forbidden as error:
                self._rights.lacks(collection, error)
                places[collection] = False
                return
            self._rights.has(collection)
            await asyncio.to_thread(self._audit.look, collection, found)
            for item in found:
                metadata = item["metadata"]
                listed[scope.secret(item)] = f"{metadata.get('uid')}/{metadata.get('resourceVersion')}"

        await asyncio.gather(*map(of, places))
        if self._settings.clusterwide:
            return listed, frozenset() if all(places.values()) else None
        readable = zip(self._settings.namespaces, places.values(), strict=True)
        return listed, frozenset(namespace for namespace, may in readable if not may)

    async def _values(
        self, needed: Iterable[ObjectRef], listed: dict[ObjectRef, str], unreadable: frozenset[str]
    ) -> tuple[list[Manifest], frozenset[str]]:
        """Return the Secrets that objects refer to, and the namespaces whose Secrets may be listed but not read."""
        gate = asyncio.Semaphore(READS)
        refused: set[str] = set()
        kept: dict[ObjectRef, tuple[str, Manifest]] = {}
        unlabelled: list[Manifest] = []

        async def of(ref: ObjectRef) -> None:
            version = listed.get(ref)
            before = self._read.get(ref)
            if version is not None and before is not None and before[0] == version:
                kept[ref] = before
                return
            url = kube.path("secrets", ref.namespace, ref.name, api="v1")
            try:
                async with gate:
                    # An unlabelled Secret is not read; its metadata suffice to report that the label is missing.
                    found = await self._kube.get(url, metadata_only=version is None)
            except Forbidden as error:
                self._rights.lacks(url, error)
                refused.add(ref.namespace)
                return
            self._rights.has(url)
            if found is None:
                return
            if version is None:
                unlabelled.append({"apiVersion": "v1", "kind": str(Kind.SECRET), "metadata": found["metadata"]})
            else:
                kept[ref] = (version, found)

        await asyncio.gather(*(of(ref) for ref in needed if ref.namespace not in unreadable))
        self._read = kept
        return [*(manifest for _, manifest in kept.values()), *unlabelled], frozenset(refused)


def _drained(listed: list[list[Manifest]]) -> Iterator[Manifest]:
    """Yield each listed object and drop it from the list.

    Keeping both the listed and the parsed objects would double the peak memory of a reconciliation.
    """
    for collection in listed:
        collection.reverse()
        while collection:
            yield collection.pop()


def references(world: World) -> Iterator[ObjectRef]:
    """Yield the Secrets that objects refer to."""
    found: tuple[Item[Any], ...] = (*world.credentials, *world.clients)
    for item in found:
        names: tuple[str, ...] = ()
        if isinstance(item.spec, ClaudeCredentialSpec | GatewayClientSpec):
            names = item.spec.secret_names
        yield from (ObjectRef(kind=Kind.SECRET, namespace=item.ref.namespace, name=name) for name in names)
