"""Resolves credentials to their keys, and to the addresses that the keys may be sent to."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypedDict

from claude_gateway.api.base import SecretKeyRef, SecretRef
from claude_gateway.api.claude_credential import (
    ApiKey,
    AssumeRole,
    Bedrock,
    ClaudeCredentialSpec,
    CredentialKind,
    Subscription,
    Vertex,
    WorkloadIdentity,
)
from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.provider import CLAUDE_CODE, PROVIDERS, UNSUPPORTED
from claude_gateway.contract.target import Attribution, Aws, Federation, Google, Role, Wire
from claude_gateway.names import Reason
from claude_gateway.plan import addresses, clouds, providers
from claude_gateway.plan.credentials import federation, identities, subscriptions
from claude_gateway.plan.credentials.subscriptions import Login, Logins, People
from claude_gateway.plan.problem import ObjectRef, Problem
from claude_gateway.plan.secret import find
from claude_gateway.plan.status.status import about_references
from claude_gateway.plan.world import Settings, World

_LONGEST_REF: Final = 200
_UNSAFE: Final = re.compile(r"[^-._a-zA-Z0-9]")


@dataclass(frozen=True, slots=True)
class Key:
    """A key, or an identity in a cloud, with the provider and the one address that it may be sent to.

    ``entry`` is its name in the secret part; None for the identity of the pods, which has no ``value`` either.
    ``base_url`` is None for the provider's default address, if no part of the policy needs to know it. ``login`` is
    the entry of a subscription's login, and ``token`` its value; ``value`` is then the key of our own backend.
    """

    provider: str
    base_url: str | None
    entry: str | None = None
    value: bytes = field(default=b"", repr=False)
    aws: Aws | None = None
    google: Google | None = None
    federation: Federation | None = None
    login: str | None = None
    token: bytes = field(default=b"", repr=False)

    def name(self, credential: ObjectRef) -> str:
        """Return the name of what a credential spends, by content, as targets and reports have it.

        The values are not part of it, but their hashes are, in their entries' names.
        """
        digest = hashlib.sha256(repr(self).encode()).hexdigest()[:8]
        return f"{credential.full_name}.{digest}"

    @property
    def secrets(self) -> Mapping[str, bytes]:
        """What the secret part holds for it, by entry."""
        return {entry: value for entry, value in ((self.entry, self.value), (self.login, self.token)) if entry}


class _Spent(TypedDict, total=False):
    entry: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """The usable keys by credential. ``known`` credentials exist, ``acceptable`` ones have a valid spec.

    ``suspended`` credentials have no key, although they may be valid. ``people`` are the owners of subscriptions and of
    clients.
    """

    keys: Mapping[ObjectRef, Key]
    known: frozenset[ObjectRef]
    suspended: frozenset[ObjectRef]
    acceptable: frozenset[ObjectRef]
    problems: tuple[Problem, ...]
    people: People

    @property
    def uses_backend(self) -> bool:
        """Whether a credential is a person's subscription, so that its requests go to our own backend."""
        return any(key.login is not None for key in self.keys.values())


def resolve(world: World) -> Credentials:
    """Find the key of each credential; a credential with any Problem is not usable, nor is a suspended one."""
    keys: dict[ObjectRef, Key] = {}
    acceptable: set[ObjectRef] = set()
    problems: list[Problem] = []
    logins = Logins(world)
    for item in sorted(world.credentials, key=lambda item: item.age):
        if item.spec is None:
            continue
        found = list(_spec_problems(item.ref, item.spec.kind, world))
        value = _value(item.ref, item.spec.kind, world, logins)
        if isinstance(value, Problem):
            found.append(value)
        elif not found and not item.spec.suspend:
            keys[item.ref] = _key(item.ref.namespace, item.spec, value, world.settings)
        problems.extend(found)
        acceptable.update([item.ref] if all(map(about_references, found)) else [])
    return Credentials(
        keys=keys,
        known=frozenset(item.ref for item in world.credentials),
        suspended=frozenset(item.ref for item in world.credentials if item.spec is not None and item.spec.suspend),
        acceptable=frozenset(acceptable),
        problems=tuple(problems),
        people=subscriptions.people(world),
    )


def provider_problem(name: str, *, owner: ObjectRef, at: str) -> Problem | None:
    """Return the Problem of a provider name; None if it can be used."""
    if name in PROVIDERS:
        return None
    if name in UNSUPPORTED:
        message = f"provider `{name}` is not supported: {UNSUPPORTED[name]}"
        return Problem(owner, at, Reason.PROVIDER_NOT_SUPPORTED, message, "Use another provider.")
    like = providers.nearest(name)
    fix = f"Did you mean `{like}`?" if like else "Use LiteLLM's name for the provider, such as `openai`."
    return Problem(owner, at, Reason.PROVIDER_UNKNOWN, f"provider `{name}` is not known", fix)


def address_problem(base_url: str, world: World, *, owner: ObjectRef, at: str) -> Problem | None:
    """Return the Problem of a base URL; None if requests may be sent there."""
    if subscriptions.is_backend(base_url, world.settings):
        return subscriptions.backend_as_server(owner, at)
    refusal = addresses.refusal(base_url, world.settings.egress)
    if refusal is None:
        return None
    fix = f"Use another address, or {addresses.ALLOWED_BY}"
    return Problem(owner, at, Reason.ADDRESS_NOT_ALLOWED, f"the address is not allowed: {refusal}", fix)


def _spec_problems(owner: ObjectRef, kind: CredentialKind, world: World) -> Iterable[Problem]:
    if isinstance(kind, Subscription):
        return
    at = _at(kind)
    if isinstance(kind, ApiKey):
        yield from _provider_problems(owner, kind)
    allowed = world.settings.identity_namespaces
    if _ref(kind) is None and allowed is not None and owner.namespace not in allowed:
        federated = isinstance(kind, WorkloadIdentity)
        message = f"credentials in namespace {owner.namespace} may not use the pods' own identity"
        instead = "Use an `apiKey`" if federated else "Set `secretRef`"
        fix = f"{instead}, or ask the operators of the gateway to allow it for this namespace."
        yield Problem(owner, at if federated else f"{at}.secretRef", Reason.IDENTITY_NOT_ALLOWED, message, fix)
    if isinstance(kind, WorkloadIdentity):
        yield from federation.problems(owner, kind, world, at=at)
    if kind.base_url is not None:
        refused = address_problem(kind.base_url, world, owner=owner, at=f"{at}.baseURL")
        yield from [refused] if refused else []


def _provider_problems(owner: ObjectRef, api_key: ApiKey) -> Iterable[Problem]:
    at = "spec.apiKey.provider"
    problem = provider_problem(api_key.provider, owner=owner, at=at)
    if problem is not None:
        yield problem
    elif (field := PROVIDERS[api_key.provider].credential) is not None:
        message = f"provider `{api_key.provider}` needs a cloud identity instead of an API key"
        fix = f"Write `{field}:` instead of `apiKey:`."
        yield Problem(owner, at, Reason.PROVIDER_NOT_SUPPORTED, message, fix)
    elif api_key.base_url is None and PROVIDERS[api_key.provider].needs_base_url:
        message = f"provider `{api_key.provider}` has no default address"
        fix = "Add the `baseURL` of the server that the key belongs to."
        yield Problem(owner, "spec.apiKey.baseURL", Reason.INVALID, message, fix)


def _value(owner: ObjectRef, kind: CredentialKind, world: World, logins: Logins) -> bytes | Login | Problem | None:
    """Return what the secret part holds for a credential; None for the identity of the pods."""
    if isinstance(kind, Subscription):
        return logins.read(owner, kind)
    at = f"{_at(kind)}.secretRef"
    if isinstance(kind, WorkloadIdentity) or kind.secret_ref is None:
        return None
    if isinstance(kind, Bedrock):
        return identities.aws(world, kind.secret_ref, owner=owner, at=at, assumes=kind.assume_role is not None)
    if isinstance(kind, Vertex):
        return identities.google(world, kind.secret_ref, owner=owner, at=at)
    found = find(world.secrets, kind.secret_ref, owner=owner, at=at, unreadable=world.unreadable)
    if isinstance(found, Problem):
        return found
    return subscriptions.login_as_key(owner, f"{at}.key") if subscriptions.is_login(found) else found.encode()


def _key(namespace: str, spec: ClaudeCredentialSpec, value: bytes | Login | None, settings: Settings) -> Key:
    ref = entry_of(namespace, spec)
    if isinstance(value, Login):
        return _of_backend(f"{ref}", value, settings)
    spent: _Spent = {} if ref is None or value is None else {"entry": secret_entry(ref, value), "value": value}
    if spec.api_key is not None:
        known = PROVIDERS[spec.api_key.provider]
        base_url = _plain(spec.api_key.base_url or known.base_url, known.wire)
        return Key(provider=spec.api_key.provider, base_url=base_url, **spent)
    if spec.workload_identity is not None:
        known = PROVIDERS[federation.PROVIDER]
        base_url = _plain(spec.workload_identity.base_url or known.base_url, known.wire)
        identity = federation.of(spec.workload_identity)
        return Key(provider=federation.PROVIDER, base_url=base_url, federation=identity)
    aws, google = place_of(spec)
    provider = clouds.VERTEX if aws is None else clouds.BEDROCK
    (written,) = (cloud.base_url for cloud in (spec.bedrock, spec.vertex) if cloud is not None)
    base_url = _plain(written, PROVIDERS[provider].wire)
    return Key(provider=provider, base_url=base_url, aws=aws, google=google, **spent)


def _of_backend(ref: str, login: Login, settings: Settings) -> Key:
    """Return the key of our own backend, together with the login that it uses; ``ref`` names the login's entry."""
    return Key(
        provider=CLAUDE_CODE,
        base_url=_plain(settings.claude_code_url, Wire.ANTHROPIC),
        entry=secret_entry(CLAUDE_CODE, settings.claude_code_key),
        value=settings.claude_code_key,
        login=secret_entry(ref, login.token),
        token=login.token,
    )


def _plain(base_url: str | None, wire: Wire | None) -> str | None:
    return None if base_url is None else addresses.normal(base_url, wire)


def _at(kind: CredentialKind) -> str:
    if isinstance(kind, ApiKey):
        return "spec.apiKey"
    if isinstance(kind, WorkloadIdentity):
        return "spec.workloadIdentity"
    return "spec.bedrock" if isinstance(kind, Bedrock) else "spec.vertex"


def _ref(kind: ApiKey | Bedrock | Vertex | WorkloadIdentity) -> SecretRef | None:
    return None if isinstance(kind, WorkloadIdentity) else kind.secret_ref


def place_of(spec: ClaudeCredentialSpec) -> tuple[Aws | None, Google | None]:
    """Return the AWS region or Google project of a credential; both are None for an API key."""
    aws, google = None, None
    if spec.bedrock is not None:
        attribution = _attribution(spec.bedrock.attribution)
        aws = Aws(region=spec.bedrock.region, attribution=attribution, role=_role(spec.bedrock.assume_role))
    if spec.vertex is not None:
        named = _attribution(spec.vertex.attribution)
        google = Google(project=spec.vertex.project, location=spec.vertex.location, attribution=named)
    return aws, google


def _role(wanted: AssumeRole | None) -> Role | None:
    if wanted is None:
        return None
    return Role(arn=wanted.arn, external_id=wanted.external_id, session_tags=_attribution(wanted.session_tags))


def _attribution(wanted: Iterable[str] | None) -> tuple[Attribution, ...]:
    return tuple(Attribution(each) for each in wanted or ())


def entry_of(namespace: str, spec: ClaudeCredentialSpec) -> str | None:
    """Return the name of a credential's entry in the secret part; None for the identity of the pods."""
    kind = spec.kind
    if isinstance(kind, Subscription):
        return entry_ref(namespace, kind.secret_name, subscriptions.KEYS[kind.method])
    ref = _ref(kind)
    if ref is None:
        return None
    # An AWS identity consists of several keys of a Secret.
    return entry_ref(namespace, ref.name, ref.key if isinstance(ref, SecretKeyRef) else None)


def entry_ref(namespace: str, name: str, key: str | None = None) -> str:
    """Return the name of an entry in the secret part: ``<namespace>.<name>.<key>``, or without key for a whole Secret.

    Names are unique: if the parts contain dots or the name had to be shortened, a hash of the parts is appended.
    """
    parts = (namespace, name) if key is None else (namespace, name, key)
    written = _UNSAFE.sub("_", ".".join(parts))
    if "." not in "".join(parts) and len(written) <= _LONGEST_REF:
        return written
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return f"{written[:_LONGEST_REF]}.{digest[:16]}"
