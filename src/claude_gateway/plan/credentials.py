"""What may be spent and where it may go: credentials resolved to their keys."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from claude_gateway.api.base import SecretKeyRef
from claude_gateway.api.claude_credential import ClaudeCredentialSpec
from claude_gateway.contract.bundle import secret_entry
from claude_gateway.names import Reason
from claude_gateway.plan import addresses, providers
from claude_gateway.plan.problem import ObjectRef, Problem
from claude_gateway.plan.secret import find
from claude_gateway.plan.world import Item, World

_LONGEST_REF: Final = 200
_UNSAFE: Final = re.compile(r"[^-._a-zA-Z0-9]")
_AT: Final = "spec.apiKey"


@dataclass(frozen=True, slots=True)
class Key:
    """A key with the provider and the one address that it may go to; ``entry`` names it in the secret part."""

    provider: str
    base_url: str | None
    entry: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Usable keys by credential; which credentials exist, and have a sound spec; the Problems of all."""

    keys: Mapping[ObjectRef, Key]
    known: frozenset[ObjectRef]
    acceptable: frozenset[ObjectRef]
    problems: tuple[Problem, ...]


def resolve(world: World) -> Credentials:
    """Find each credential's key; one with any Problem is not usable."""
    keys: dict[ObjectRef, Key] = {}
    acceptable: set[ObjectRef] = set()
    problems: list[Problem] = []
    for item in world.credentials:
        if item.spec is None:
            continue
        found = list(_spec_problems(item, item.spec, world))
        acceptable.update(() if found else (item.ref,))
        api_key = item.spec.api_key
        at = f"{_AT}.secretRef"
        value = find(world.secrets, api_key.secret_ref, owner=item.ref, at=at, unreadable=world.unreadable)
        if isinstance(value, Problem):
            found.append(value)
        elif not found:
            keys[item.ref] = _key(item, item.spec, value.encode())
        problems.extend(found)
    return Credentials(
        keys=keys,
        known=frozenset(item.ref for item in world.credentials),
        acceptable=frozenset(acceptable),
        problems=tuple(problems),
    )


def provider_problem(name: str, *, owner: ObjectRef, at: str) -> Problem | None:
    """What is wrong with a provider's name, if anything."""
    if name in providers.PROVIDERS:
        return None
    if name in providers.UNSUPPORTED:
        message = f"provider `{name}` is not supported: {providers.UNSUPPORTED[name]}"
        return Problem(owner, at, Reason.PROVIDER_NOT_SUPPORTED, message, "Use another provider.")
    like = providers.nearest(name)
    fix = f"Did you mean `{like}`?" if like else "Use the name that LiteLLM has for it, such as `openai`."
    return Problem(owner, at, Reason.PROVIDER_UNKNOWN, f"no provider `{name}` is known", fix)


def address_problem(base_url: str, world: World, *, owner: ObjectRef, at: str) -> Problem | None:
    """What is wrong with a base URL, if anything."""
    refusal = addresses.refusal(base_url, world.settings.egress)
    if refusal is None:
        return None
    fix = "Use another address, or have whoever runs the gateway allow this host."
    return Problem(owner, at, Reason.ADDRESS_NOT_ALLOWED, f"nothing may be sent there: {refusal}", fix)


def _spec_problems(item: Item[ClaudeCredentialSpec], spec: ClaudeCredentialSpec, world: World) -> Iterable[Problem]:
    api_key = spec.api_key
    problem = provider_problem(api_key.provider, owner=item.ref, at=f"{_AT}.provider")
    if problem is not None:
        yield problem
    elif api_key.base_url is None and providers.PROVIDERS[api_key.provider].needs_base_url:
        message = f"provider `{api_key.provider}` has no address of its own"
        yield Problem(item.ref, f"{_AT}.baseURL", Reason.INVALID, message, "Add the `baseURL` that the key is for.")
    if api_key.base_url is not None:
        refused = address_problem(api_key.base_url, world, owner=item.ref, at=f"{_AT}.baseURL")
        yield from [refused] if refused else []


def _key(item: Item[ClaudeCredentialSpec], spec: ClaudeCredentialSpec, value: bytes) -> Key:
    api_key = spec.api_key
    known = providers.PROVIDERS[api_key.provider]
    base_url = api_key.base_url or known.base_url
    return Key(
        provider=api_key.provider,
        base_url=None if base_url is None else addresses.normal(base_url, known.wire),
        entry=secret_entry(entry_ref(item.ref.namespace, api_key.secret_ref), value),
        value=value,
    )


def entry_ref(namespace: str, secret_ref: SecretKeyRef) -> str:
    """Name a Secret's key for the secret part: ``<namespace>.<name>.<key>``.

    Two keys never get one name: where the parts could be cut otherwise, or had to be shortened, a hash of them follows.
    """
    name, key = secret_ref.name, secret_ref.key
    written = _UNSAFE.sub("_", f"{namespace}.{name}.{key}")
    if "." not in name and "." not in key and len(written) <= _LONGEST_REF:
        return written
    digest = hashlib.sha256(json.dumps([namespace, name, key]).encode()).hexdigest()
    return f"{written[:_LONGEST_REF]}.{digest[:16]}"
