"""Programs outside the gateway that may call the Claude Code backend directly; each key gives access to one login."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from claude_gateway.api.base import SecretKeyRef
from claude_gateway.api.claude_credential import Caller
from claude_gateway.names import Kind, Reason
from claude_gateway.plan.credentials.credentials import Key
from claude_gateway.plan.problem import ObjectRef, Problem
from claude_gateway.plan.secret import find
from claude_gateway.plan.world import World

SHORTEST_KEY: Final = 32
"""Minimum length of a caller's key: the key alone gives access to a person's login."""
KEY: Final = "key"
"""The key of the Secret that holds a caller's key."""
_AT: Final = "spec.subscription.caller.secretName"


@dataclass(frozen=True, slots=True)
class BackendCallers:
    """The callers of the backend. ``wanted`` are the Secrets that the operator should create with a new key."""

    logins: Mapping[str, tuple[str, bytes]] = field(default_factory=dict, repr=False)
    """The caller's name and the access token of its login, by the SHA-256 (hex) of the key."""
    wanted: tuple[ObjectRef, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def document(self) -> bytes:
        """The document that the backend reads, in a fixed order."""
        entries = {key: {"name": name, "login": token.decode()} for key, (name, token) in self.logins.items()}
        return json.dumps(entries, sort_keys=True, separators=(",", ":")).encode()


def resolve(world: World, keys: Mapping[ObjectRef, Key], *, clients: Collection[str]) -> BackendCallers:
    """Find the key of each caller whose credential can be used; ``clients`` are the hashes of the gateway's own keys.

    A caller with a Problem is left out; the gateway can still use its credential.
    """
    logins: dict[str, tuple[str, bytes]] = {}
    wanted: list[ObjectRef] = []
    problems: list[Problem] = []
    for item in sorted(world.credentials, key=lambda item: item.age):
        subscription = None if item.spec is None else item.spec.subscription
        if subscription is None or subscription.caller is None or item.ref not in keys:
            continue
        key = _key(item.ref, subscription.caller, world)
        if isinstance(key, str):
            key = _wrong(item.ref, key, taken=(logins, clients)) or key
        if isinstance(key, Problem):
            problems.append(key)
        elif isinstance(key, ObjectRef):
            wanted.append(key)
        else:
            logins[_hash(key)] = (subscription.caller.name, keys[item.ref].token)
    return BackendCallers(logins=logins, wanted=tuple(dict.fromkeys(wanted)), problems=tuple(problems))


def _key(owner: ObjectRef, caller: Caller, world: World) -> str | ObjectRef | Problem:
    """Return the caller's key, the Secret that the operator should create for it, or why there is neither."""
    wanted = SecretKeyRef(name=caller.secret_name, key=KEY)
    found = find(world.secrets, wanted, owner=owner, at=_AT, unreadable=world.unreadable)
    if isinstance(found, str):
        return found
    name = f"{owner.namespace}/{caller.secret_name}"
    if found.reason is not Reason.SECRET_NOT_FOUND:
        return Problem(owner, _AT, found.reason, found.message, found.fix)
    if name in world.settings.caller_secrets:
        return ObjectRef(kind=Kind.SECRET, namespace=owner.namespace, name=caller.secret_name)
    fix = (
        f"{found.fix} `claude-gateway key new` makes a key. Or ask the operators of the gateway to let the operator "
        f"create this Secret (`claudeCode.callerSecrets`)."
    )
    return Problem(owner, _AT, found.reason, found.message, fix)


def _wrong(owner: ObjectRef, key: str, *, taken: Iterable[Collection[str]]) -> Problem | None:
    if len(key) < SHORTEST_KEY:
        message = f"the caller's key has fewer than {SHORTEST_KEY} characters"
        return Problem(owner, _AT, Reason.KEY_TOO_SHORT, message, "Create a key with `claude-gateway key new`.")
    if any(_hash(key) in hashes for hashes in taken):
        message = "the caller's key already belongs to another caller or to a GatewayClient"
        fix = "Create a separate key for each with `claude-gateway key new`."
        return Problem(owner, _AT, Reason.KEY_TAKEN, message, fix)
    return None


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
