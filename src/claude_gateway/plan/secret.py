"""Secrets: whether they may be used, and their values, which are never shown."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from claude_gateway.api.base import SecretKeyRef, SecretRef
from claude_gateway.contract.bundle import REFERENCES
from claude_gateway.contract.login import CREDENTIALS_KEY
from claude_gateway.contract.writers import other_writer
from claude_gateway.names import LABEL_CREDENTIAL, Kind, Reason
from claude_gateway.plan import schema
from claude_gateway.plan.problem import ObjectRef, Problem

_SENDABLE: Final = re.compile(r"[!-~]{1,8192}")
_UNUSABLE: Final = (
    "has no usable value",
    "Store only the key itself: printable ASCII without spaces, and without `Bearer` in front.",
)
_REFERENCE: Final = (
    f"begins with {' or '.join(f'`{prefix}`' for prefix in REFERENCES)}, and such references are not resolved",
    "Store the key itself, not where it is stored.",
)
_LISTED: Final = 5
"""The most keys of a Secret that a message lists."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secret; ``labelled`` says that its owner allows its use. A value that cannot be decoded is None.

    ``login_writer`` is the other writer, besides the sign-in service, of the refreshed login in it, if there is one.
    """

    ref: ObjectRef
    labelled: bool
    values: Mapping[str, bytes | None] = field(default_factory=dict, repr=False)
    login_writer: str | None = None


def read_secret(manifest: Mapping[Any, Any], ref: ObjectRef, *, labelled: bool) -> tuple[Secret, list[Problem]]:
    """Read a Secret's ``data`` (base64) and ``stringData``, which takes precedence, as an API server does."""
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
    metadata = manifest.get("metadata")
    known = metadata if CREDENTIALS_KEY in values and isinstance(metadata, Mapping) else {}
    writer = other_writer(known, CREDENTIALS_KEY)
    return Secret(ref=ref, labelled=labelled, values=values, login_writer=writer), problems


def _entry(values: dict[str, bytes | None], ref: ObjectRef, part: str, name: object, value: object) -> Problem | None:
    where = schema.path(part, [name] if isinstance(name, str) else [])
    if not isinstance(name, str) or not isinstance(value, str):
        fix = "Put it in quotes: YAML reads bare digits, dates and words such as `yes` as other types."
        return schema.invalid(ref, where, "both the key and the value must be text", fix)
    try:
        values[name] = base64.b64decode(value, validate=True) if part == "data" else value.encode()
    except (binascii.Error, ValueError):
        values[name] = None
        fix = "Encode it with base64, or put the plain value under `stringData`."
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
    """Look up a value for an object, in its own namespace only; white space around it is removed.

    ``unreadable`` are the namespaces whose Secrets may not be read. A value that is not valid in an HTTP header is a
    Problem, because ``http.client`` and LiteLLM would quote it in an exception.
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
        message = f"the operator may not read Secrets in namespace {owner.namespace}"
        fix = "Ask the operators of the gateway to watch this namespace, which also creates the Role for it."
        return Problem(owner, f"{at}.name", Reason.SECRET_FORBIDDEN, message, fix)
    if secret is None:
        fix = f'Create it in namespace {owner.namespace}, with the label {LABEL_CREDENTIAL}: "true".'
        return Problem(owner, f"{at}.name", Reason.SECRET_NOT_FOUND, f"Secret {name} does not exist", fix)
    if not secret.labelled:
        fix = f'Add the label {LABEL_CREDENTIAL}: "true" to the Secret.'
        message = f"Secret {name} does not have the label that allows its use"
        return Problem(owner, f"{at}.name", Reason.SECRET_NOT_LABELLED, message, fix)
    return secret


def value_of(secret: Secret, key: str, *, owner: ObjectRef, at: str) -> bytes | Problem:
    """Return the value of a key; empty if it cannot be decoded."""
    if key not in secret.values:
        message = f"Secret {secret.ref.full_name} has no key {key}; {_keys(secret)}"
        fix = "Add the key to the Secret, or refer to the key that holds the value."
        return Problem(owner, at, Reason.SECRET_KEY_NOT_FOUND, message, fix)
    return secret.values[key] or b""


def _keys(secret: Secret) -> str:
    """Return which keys a Secret has, for a message; their names are not secret."""
    names = [schema.shown(name) for name in sorted(secret.values)[:_LISTED]]
    more = len(secret.values) - len(names)
    return f"it has {', '.join(names)}{f' and {more} more' if more else ''}" if names else "it is empty"


def word(secret: Secret, key: str, *, owner: ObjectRef, at: str) -> str | Problem:
    """Return the value of a key without white space around it; it must be one word that is valid in an HTTP header."""
    value = value_of(secret, key, owner=owner, at=at)
    if isinstance(value, Problem):
        return value
    text = _text(value)
    if text is not None and not is_reference(text):
        return text
    wrong, fix = _UNUSABLE if text is None else _REFERENCE
    message = f"key {key} of Secret {secret.ref.full_name} {wrong}"
    return Problem(owner, at, Reason.SECRET_VALUE_INVALID, message, fix)


def is_reference(value: str) -> bool:
    """Return whether LiteLLM could read a value, in any spelling, as a reference to another one."""
    return value.lower().startswith(REFERENCES)


def _text(value: bytes) -> str | None:
    try:
        text = value.decode("ascii").strip()
    except UnicodeDecodeError:
        return None
    return text if _SENDABLE.fullmatch(text) else None
