"""Signed tokens that identify clients: which issuers a client may name, and the secrets of HS256.

An issuer with public keys belongs to one namespace: to the release's own if it names it, else to that of the oldest
client that does. Otherwise a tenant could list the issuer of another one's people, and their requests would arrive as
those of the tenant's client, at the tenant's routes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from claude_gateway.api.base import SecretKeyRef
from claude_gateway.api.gateway_client import GatewayClientSpec, Jwt
from claude_gateway.contract import issuers
from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.client import TokenRule
from claude_gateway.names import Reason
from claude_gateway.plan import addresses
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.secret import find
from claude_gateway.plan.world import Item, World

SHORTEST_SECRET: Final = 16
"""Characters of a secret of HS256 below which it can be guessed from one token."""
GOOD_SECRET: Final = 32
"""RFC 7518, 3.2 requires as many bytes as the hash has."""
MOST_RULES: Final = 5000
"""The most entries of one namespace for one issuer, or without an issuer: a token is compared with each of them."""
MOST_SOURCES: Final = 8
"""The most addresses with keys of one issuer: a token may cause a request to each of them."""
MOST_SECRETS: Final = 64
"""The most secrets tried for one token: those of its issuer, and those without an issuer."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """The rules of each client that can be used, and the secrets that they need, by entry of the secret part."""

    rules: Mapping[ObjectRef, tuple[TokenRule, ...]]
    secrets: Mapping[str, bytes] = field(repr=False)
    problems: tuple[Problem, ...]


def resolve(world: World) -> TokenRules:
    """Resolve the tokens of all clients; the release's own clients come first, then the oldest."""
    reader = _Reader(world)
    own = world.settings.namespace
    for item in sorted(world.clients, key=lambda item: (item.ref.namespace != own, item.age)):
        if item.spec is not None and item.spec.jwt is not None:
            reader.add(item, item.spec)
    return TokenRules(rules=reader.rules, secrets=reader.secrets, problems=tuple(reader.problems))


class _Reader:
    def __init__(self, world: World) -> None:
        self._world = world
        self._owners: dict[str, str] = {}
        self._tried: dict[str | None, set[str]] = {}
        self._counts: dict[tuple[str, str | None], int] = {}
        self._sources: dict[str | None, set[str | None]] = {}
        self.rules: dict[ObjectRef, tuple[TokenRule, ...]] = {}
        self.secrets: dict[str, bytes] = {}
        self.problems: list[Problem] = []

    def add(self, item: Item[GatewayClientSpec], spec: GatewayClientSpec) -> None:
        """Resolve the tokens of one client."""
        found: list[TokenRule] = []
        for index, jwt in enumerate(spec.jwt or ()):
            at = f"spec.jwt[{index}]"
            problems = list(self._refusals(item.ref, jwt, at=at)) or list(self._too_many(item.ref, jwt, at=at))
            wanted = None if problems else jwt.secret_ref
            entry = None if wanted is None else self._secret(item.ref, wanted, jwt.issuer, at=f"{at}.secretRef")
            problems.extend([entry] if isinstance(entry, Problem) else [])
            self.problems.extend(problems)
            if not problems and not isinstance(entry, Problem):
                found.append(_rule(jwt, entry))
        if found:
            self.rules[item.ref] = tuple(found)

    def _refusals(self, ref: ObjectRef, jwt: Jwt, *, at: str) -> Iterator[Problem]:
        """Yield why the keys of an issuer may not be used."""
        if jwt.issuer is None or jwt.secret_ref is not None:
            return
        for name, url in (("jwksURL", jwt.jwks_url), ("issuer", jwt.issuer if jwt.jwks_url is None else None)):
            refusal = None if url is None else issuers.refusal(url, self._world.settings.egress)
            if refusal is not None:
                fix = f"Use a public https address, or {addresses.ALLOWED_BY}"
                message = f"the keys of the issuer may not be fetched from this address: {refusal}"
                yield Problem(ref, f"{at}.{name}", Reason.ADDRESS_NOT_ALLOWED, message, fix)
                return
        owner = self._owners.setdefault(jwt.issuer, ref.namespace)
        if owner != ref.namespace:
            message = f"the issuer belongs to clients of namespace {owner}"
            fix = f"Ask for a GatewayClient in namespace {owner}, or use an issuer of your own."
            yield Problem(ref, f"{at}.issuer", Reason.ISSUER_TAKEN, message, fix)

    def _too_many(self, ref: ObjectRef, jwt: Jwt, *, at: str) -> Iterator[Problem]:
        """Count one more entry, and yield a Problem if it exceeds the limit."""
        key = ref.namespace, jwt.issuer
        count = self._counts[key] = self._counts.get(key, 0) + 1
        if count > MOST_RULES:
            message = f"clients of namespace {ref.namespace} have more than {MOST_RULES} entries for this issuer"
            yield Problem(ref, at, Reason.TOO_LARGE, message, "List several values of a claim in one entry.")
        sources = self._sources.setdefault(jwt.issuer, set()) if jwt.secret_ref is None else set()
        if len(sources) < MOST_SOURCES:
            sources.add(jwt.jwks_url)
        elif jwt.jwks_url not in sources:
            message = f"more than {MOST_SOURCES} addresses are named for the keys of the issuer"
            yield Problem(ref, f"{at}.jwksURL", Reason.TOO_LARGE, message, "Use one of the addresses in all clients.")

    def _secret(self, ref: ObjectRef, wanted: SecretKeyRef, issuer: str | None, *, at: str) -> str | Problem:
        """Return the entry of the secret part that holds the secret of HS256."""
        secret = find(self._world.secrets, wanted, owner=ref, at=at, unreadable=self._world.unreadable)
        if isinstance(secret, Problem):
            return secret
        fix = "Sign the tokens with a secret of at least 32 random characters."
        if len(secret) < SHORTEST_SECRET:
            message = f"the secret has fewer than {SHORTEST_SECRET} characters, so it can be guessed from one token"
            return Problem(ref, at, Reason.KEY_TOO_SHORT, message, fix)
        if len(secret) < GOOD_SECRET:
            message = f"the secret has fewer than {GOOD_SECRET} characters, which is too short for HS256"
            warning = Problem(ref, at, Reason.KEY_TOO_SHORT, message, fix, severity=Severity.WARNING)
            self.problems.append(warning)
        entry = secret_entry(f"jwt.{ref.namespace}.{wanted.name}.{wanted.key}", secret.encode())
        tried = self._tried.setdefault(issuer, set())
        tried.add(secret)
        if len(tried) > MOST_SECRETS:
            tried.remove(secret)
            message = f"more than {MOST_SECRETS} secrets are in use for tokens of one issuer, or of none"
            return Problem(ref, at, Reason.TOO_MANY_SECRETS, message, "Set an `issuer` of your own, or share a secret.")
        self.secrets[entry] = secret.encode()
        return entry


def _rule(jwt: Jwt, entry: str | None) -> TokenRule:
    return TokenRule(
        issuer=jwt.issuer,
        jwks_url=jwt.jwks_url,
        secret=entry,
        audiences=jwt.audiences or (),
        claims=dict(sorted((jwt.claims or {}).items())),
        user=jwt.user_claim,
        team=jwt.team_claim,
        groups=jwt.groups_claim,
    )
