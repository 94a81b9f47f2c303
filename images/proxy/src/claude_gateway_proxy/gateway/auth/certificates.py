"""Callers with a client certificate: read once, then known until it ends.

Accepted certificates are cached by SHA-256, for one snapshot and within a bound. Rejected ones are not cached: a flood
of strangers would evict the clients, and reading a certificate once per connection is cheap.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from claude_gateway.contract.certificate_name import NameKind, namespace_of_pods, patterns
from claude_gateway.contract.client import Client
from claude_gateway_proxy.gateway.auth.identity import Identity
from claude_gateway_proxy.gateway.auth.presented import Presented
from claude_gateway_proxy.gateway.auth.principal import Principal, Proof
from claude_gateway_proxy.gateway.errors import bad_certificate
from claude_gateway_runtime.bounded_dict import BoundedDict

MOST_KEPT: Final = 8192
"""The most certificates in the cache; the least recently used one is evicted first."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The holder of a certificate, and its end in Unix time."""

    principal: Principal
    until: float


@dataclass(frozen=True, slots=True)
class Certificates:
    """The certificates that one snapshot accepts: clients by the names that they list; ``kept`` are those that came.

    ``release`` is the release's own namespace.
    """

    clients: Mapping[tuple[NameKind, str], Client] = field(default_factory=dict)
    release: str = ""
    kept: BoundedDict[bytes, Kept] = field(default_factory=lambda: BoundedDict(MOST_KEPT), repr=False)

    @classmethod
    def of(cls, clients: Iterable[Client], *, release: str) -> "Certificates":
        """Index the names of all clients; a name that two clients list belongs to the one with the lower rank."""
        ordered = sorted(clients, key=lambda client: -client.certificate_rank)
        names = {(name.kind, name.value): client for client in ordered for name in client.certificates}
        return cls(names, release)

    def __bool__(self) -> bool:
        """Whether any certificate is accepted at all."""
        return bool(self.clients)

    def identify(self, shown: Presented) -> Principal:
        """Return the holder of a verified certificate. Raises Failure (401) if it has expired or names no client."""
        digest = sha256(shown.form.encode() + b":" + shown.data).digest()
        found = self.kept.used(digest) if not shown.wrong else None
        if found is None:
            found = self.kept[digest] = self._found(shown)
        if time.time() >= found.until:
            del self.kept[digest]
            raise bad_certificate("it has expired")
        return found.principal

    def _found(self, shown: Presented) -> Kept:
        try:
            identity = shown.read()
        except ValueError as error:
            raise bad_certificate(str(error)) from None
        allowed = self._allowed(identity)
        matches = [
            (name, client)
            for name in identity.names
            for client in self._listing(*name)
            if allowed is None or client.name.partition("/")[0] in allowed
        ]
        if not matches:
            raise bad_certificate("no GatewayClient lists a name of it")
        # If several names belong to one client, min() takes the first of them.
        (kind, value), client = min(matches, key=lambda match: match[1].certificate_rank)
        user = identity.user if kind is NameKind.FINGERPRINT else value
        return Kept(Principal(client, Proof.CERTIFICATE, user=user), identity.until)

    def _allowed(self, identity: Identity) -> frozenset[str] | None:
        """Return the namespaces whose clients a certificate may identify; None: all.

        A pod's certificate has more names than its SPIFFE ID, and another namespace could list one of them.
        """
        owners = [namespace_of_pods(value) for kind, value in identity.names if kind is NameKind.URI]
        owner = next((each for each in owners if each is not None), None)
        return None if owner is None else frozenset({owner, self.release})

    def _listing(self, kind: NameKind, value: str) -> Iterator[Client]:
        for each in (value, *(patterns(value) if kind is NameKind.URI else ())):
            client = self.clients.get((kind, each))
            if client is not None:
                yield client
