"""Secrets as read: whether they may be used at all, and their values, which nothing shows."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from claude_gateway.api.base import SecretKeyRef, SecretRef
from claude_gateway.names import LABEL_CREDENTIAL, Kind, Reason
from claude_gateway.plan import schema
from claude_gateway.plan.problem import ObjectRef, Problem

_SENDABLE: Final = re.compile(r"[!-~]{1,8192}")


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secret; ``labelled`` says that its owner lets it be used. A value of None cannot be read."""

    ref: ObjectRef
    labelled: bool
    values: Mapping[str, bytes | None] = field(default_factory=dict, repr=False)


def read_secret(manifest: Mapping[Any, Any], ref: ObjectRef, *, labelled: bool) -> tuple[Secret, list[Problem]]:
    """Read a Secret's ``data`` (base64) and ``stringData``, which wins, as an API server would."""
    values: dict[str, bytes | None] = {}
    problems: list[Problem] = []
    for part in ("data", "stringData"):
        entries = manifest.get(part)
        if entries is None:
            continue
        if not isinstance(entries, Mapping):
            problems.append(schema.invalid(ref, part, f"`{part}` must be an object", "Write `key: value` below it."))
            continue
        for name, value in entries.items():
            problem = _entry(values, ref, part, name, value)
            problems.extend([problem] if problem else [])
    return Secret(ref=ref, labelled=labelled, values=values), problems


def _entry(values: dict[str, bytes | None], ref: ObjectRef, part: str, name: object, value: object) -> Problem | None:
    where = schema.path(part, [name] if isinstance(name, str) else [])
    if not isinstance(name, str) or not isinstance(value, str):
        fix = "Put it into quotes: YAML takes bare digits, dates and words such as `yes` for something else."
        return schema.invalid(ref, where, "both key and value must be text", fix)
    try:
        values[name] = base64.b64decode(value, validate=True) if part == "data" else value.encode()
    except (binascii.Error, ValueError):
        values[name] = None
        fix = "Encode it, or put the plain value under `stringData`."
        message = "the value is not base64" if part == "data" else "the value is not Unicode text"
        return schema.invalid(ref, where, message, fix)
    return None


def find(
    secrets: Mapping[ObjectRef, Secret],
    wanted: SecretKeyRef,
    *,
    owner: ObjectRef,
    at: str,
    unreadable: frozenset[str] = frozenset(),
) -> str | Problem:
    """Look up a value for an object, in its own namespace only; white space around it is cut off.

    ``unreadable`` are the namespaces whose Secrets may not be read. A value that cannot stand in a header is a
    Problem: ``http.client`` and LiteLLM would quote it in an exception.
    """
    secret = usable(secrets, wanted, owner=owner, at=at, unreadable=unreadable)
    return secret if isinstance(secret, Problem) else word(secret, wanted.key, owner=owner, at=f"{at}.key")


def usable(
    secrets: Mapping[ObjectRef, Secret], wanted: SecretRef, *, owner: ObjectRef, at: str, unreadable: frozenset[str]
) -> Secret | Problem:
    """Look up a Secret for an object, in its own namespace only, and only one that its owner labelled."""
    name = f"{owner.namespace}/{wanted.name}"
    secret = secrets.get(ObjectRef(kind=Kind.SECRET, namespace=owner.namespace, name=wanted.name))
    if secret is None and owner.namespace in unreadable:
        message = f"there is no right to read Secrets in namespace {owner.namespace}"
        fix = "Have whoever runs the gateway add the namespace to those that it watches, with its Role."
        return Problem(owner, f"{at}.name", Reason.SECRET_FORBIDDEN, message, fix)
    if secret is None:
        fix = f'Create it in namespace {owner.namespace}, labelled {LABEL_CREDENTIAL}: "true".'
        return Problem(owner, f"{at}.name", Reason.SECRET_NOT_FOUND, f"there is no Secret {name}", fix)
    if not secret.labelled:
        fix = f'Have the owner of the Secret label it {LABEL_CREDENTIAL}: "true".'
        message = f"Secret {name} is not labelled for use"
        return Problem(owner, f"{at}.name", Reason.SECRET_NOT_LABELLED, message, fix)
    return secret


def value_of(secret: Secret, key: str, *, owner: ObjectRef, at: str) -> bytes | Problem:
    """The value of a key, empty where it cannot be read."""
    if key not in secret.values:
        message = f"Secret {secret.ref.namespace}/{secret.ref.name} has no key {key}"
        fix = "Add it to the Secret, or name the key or the Secret that holds the value."
        return Problem(owner, at, Reason.SECRET_KEY_NOT_FOUND, message, fix)
    return secret.values[key] or b""


def word(secret: Secret, key: str, *, owner: ObjectRef, at: str) -> str | Problem:
    """The value of a key, without white space around it, where it is one word that can stand in a header."""
    value = value_of(secret, key, owner=owner, at=at)
    text = value if isinstance(value, Problem) else _text(value)
    if text is not None:
        return text
    message = f"key {key} of Secret {secret.ref.namespace}/{secret.ref.name} holds no usable value"
    fix = "Store the key alone: printable ASCII without spaces, not empty, without `Bearer` before it."
    return Problem(owner, at, Reason.SECRET_VALUE_INVALID, message, fix)


def _text(value: bytes) -> str | None:
    try:
        text = value.decode("ascii").strip()
    except UnicodeDecodeError:
        return None
    return text if _SENDABLE.fullmatch(text) else None
