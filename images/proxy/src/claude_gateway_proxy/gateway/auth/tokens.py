"""Callers with a signed token: verified once, then known for some minutes.

Verified tokens are cached by SHA-256, for one snapshot and within a bound. They are verified again soon, so that a key
that its issuer withdrew is not accepted for long. Rejected tokens are not cached: a flood of them would evict the good
ones, and one check of a signature is cheap.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from claude_gateway.contract.client import Client, ClusterIssuer, TokenRule
from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.auth import claims, jws, key_sets
from claude_gateway_proxy.gateway.auth.issuers import FRESH_SECONDS, Issuers, Source
from claude_gateway_proxy.gateway.auth.jws import Token, VerificationKey
from claude_gateway_proxy.gateway.auth.key_sets import KeySet
from claude_gateway_proxy.gateway.auth.principal import Principal, Proof
from claude_gateway_proxy.gateway.errors import bad_token, issuer_unavailable, unknown_issuer
from claude_gateway_runtime.bounded_dict import BoundedDict

MOST_KEPT: Final = 8192
"""The most verified tokens in the cache; the least recently used one is evicted first."""

_ACCOUNTS: Final = "system:serviceaccount:"
"""How the subject of a ServiceAccount's token begins; ``NAMESPACE:NAME`` follows."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A rule with its client."""

    rule: TokenRule
    client: Client


@dataclass(frozen=True, slots=True)
class Kept:
    """The holder of a verified token, and when it must be verified again, in Unix time."""

    principal: Principal
    until: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens that one snapshot accepts; ``kept`` are those that were verified, by their SHA-256 in hex.

    ``issued`` are the rules by issuer and by where its keys are, ``shared`` those by issuer (None: any) and by the
    secret of HS256; the rule that requires more comes first. ``accounts`` are clients by the subject of a
    ServiceAccount's token.
    """

    issued: Mapping[str, Mapping[Source, Sequence[Bound]]] = field(default_factory=dict)
    shared: Mapping[str | None, Sequence[tuple[VerificationKey, Sequence[Bound]]]] = field(
        default_factory=dict, repr=False
    )
    cluster: ClusterIssuer | None = None
    cluster_keys: KeySet | None = field(default=None, repr=False)
    accounts: Mapping[str, Client] = field(default_factory=dict)
    egress: Egress = field(default_factory=Egress)
    kept: BoundedDict[str, Kept] = field(default_factory=lambda: BoundedDict(MOST_KEPT), repr=False)

    @classmethod
    def of(
        cls, clients: Iterable[Client], *, secrets: Mapping[str, str], cluster: ClusterIssuer | None, egress: Egress
    ) -> "Tokens":
        """Prepare the rules of all clients. Raises KeyError for a secret that is missing, ValueError for bad keys."""
        issued: dict[str, dict[Source, list[Bound]]] = {}
        shared: dict[str | None, dict[str, list[Bound]]] = {}
        accounts: dict[str, Client] = {}
        for client in clients:
            accounts |= {_subject(account): client for account in client.service_accounts}
            for rule in client.tokens:
                bound = Bound(rule, client)
                if rule.secret is not None:
                    shared.setdefault(rule.issuer, {}).setdefault(secrets[rule.secret], []).append(bound)
                elif rule.issuer is not None:
                    source = Source(rule.issuer, rule.jwks_url)
                    issued.setdefault(rule.issuer, {}).setdefault(source, []).append(bound)
        return cls(
            issued={
                issuer: {source: _in_order(rules) for source, rules in sources.items()}
                for issuer, sources in issued.items()
            },
            shared={
                issuer: [(jws.secret_key(secret.encode()), _in_order(rules)) for secret, rules in by_secret.items()]
                for issuer, by_secret in shared.items()
            },
            cluster=cluster,
            cluster_keys=None if cluster is None else key_sets.read(cluster.keys),
            accounts=accounts,
            egress=egress,
        )

    def __bool__(self) -> bool:
        """Whether any token is accepted at all."""
        return bool(self.issued or self.shared or (self.accounts and self.cluster))

    @property
    def sources(self) -> Iterator[Source]:
        """The sources whose keys may be needed."""
        return (source for sources in self.issued.values() for source in sources)

    def known(self, digest: str) -> Principal | None:
        """Return the holder of a token that was verified recently and is still valid."""
        found = self.kept.used(digest)
        if found is None:
            return None
        if time.time() >= found.until:
            del self.kept[digest]
            return None
        return found.principal

    async def identify(self, text: bytes, digest: str, issuers: Issuers) -> Principal:
        """Verify a token. Raises Failure: 401 if it is not accepted, 503 if its keys cannot be fetched."""
        token = jws.read(text)
        now = time.time()
        ends = claims.check_times(token.claims, now=now)
        if token.algorithm == jws.SECRET_ALGORITHM:
            found = self._by_secret(token)
        else:
            found = self._of_cluster(token) or await self._by_issuer(token, issuers)
        self.kept[digest] = Kept(found, min(ends, now + FRESH_SECONDS))
        return found

    def _by_secret(self, token: Token) -> Principal:
        issuer = token.claims.get("iss")
        mine = self.shared.get(issuer, ()) if isinstance(issuer, str) else ()
        signed = [rules for key, rules in (*mine, *self.shared.get(None, ())) if key.verifies(token)]
        if not signed:
            raise bad_token("no client has a secret for which its signature is valid")
        return _matched(token, [bound for rules in signed for bound in rules])

    def _of_cluster(self, token: Token) -> Principal | None:
        """Return the ServiceAccount of a token; None if it is not a token of the cluster for this gateway."""
        cluster, keys, found = self.cluster, self.cluster_keys, token.claims
        if cluster is None or keys is None or found.get("iss") != cluster.issuer:
            return None
        if not claims.for_audience(found, (cluster.audience,)):
            if cluster.issuer in self.issued:
                return None
            raise bad_token(claims.another_audience((cluster.audience,)))
        _check_signature(token, keys.of(token.key_id))
        subject = found.get("sub")
        client = self.accounts.get(subject) if isinstance(subject, str) else None
        if client is None:
            raise bad_token(f"no GatewayClient lists its ServiceAccount `{_account(str(subject))}`")
        return Principal(client, Proof.SERVICE_ACCOUNT, user=str(subject))

    async def _by_issuer(self, token: Token, issuers: Issuers) -> Principal:
        issuer = token.claims.get("iss")
        sources = self.issued.get(issuer) if isinstance(issuer, str) else None
        if sources is None:
            raise unknown_issuer(issuer)
        *others, last = sources.items()
        for source, rules in others:
            keys = await issuers.keys(source, token.key_id, egress=self.egress)
            if any(key.verifies(token) for key in keys):
                return _matched(token, rules)
        source, rules = last
        keys = await issuers.keys(source, token.key_id, egress=self.egress)
        if not keys and any(map(issuers.outdated, sources)):
            # A 401 would end the session of somebody whose token is signed with a new key.
            raise issuer_unavailable(source.issuer)
        _check_signature(token, keys)
        return _matched(token, rules)


def _in_order(rules: Iterable[Bound]) -> Sequence[Bound]:
    return sorted(rules, key=lambda bound: (-len(bound.rule.claims), bound.client.name))


def _matched(token: Token, rules: Sequence[Bound]) -> Principal:
    """Return who the caller is by the first rule that accepts the token. Raises Failure with the first reason."""
    reading = claims.Reading(token.claims)
    wrong = ""
    for bound in rules:
        reason = reading.mismatch(bound.rule)
        if reason is None:
            return claims.principal(token.claims, bound.rule, bound.client)
        wrong = wrong or reason
    raise bad_token(wrong)


def _check_signature(token: Token, keys: Sequence[VerificationKey]) -> None:
    if not keys:
        raise bad_token("it names a key that its issuer does not have")
    if not any(key.verifies(token) for key in keys):
        raise bad_token("its signature is not valid")


def _subject(account: str) -> str:
    return f"{_ACCOUNTS}{account.replace('/', ':')}"


def _account(subject: str) -> str:
    return subject.removeprefix(_ACCOUNTS).replace(":", "/")
