"""Secrets as read: whether they may be used at all, and their values, which nothing shows."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from claude_gateway.api.base import SecretKeyRef
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

    ``unreadable`` are the namespaces whose Secrets may not be read.

    Only Secrets that their owner labelled are ever used. A value that cannot stand in a header is a Problem:
    ``http.client`` and LiteLLM would quote it in an exception.
    """
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
    if wanted.key not in secret.values:
        message = f"Secret {name} has no key {wanted.key}"
        fix = f"Add it, or name the key that holds the value in `{at}.key`."
        return Problem(owner, f"{at}.key", Reason.SECRET_KEY_NOT_FOUND, message, fix)
    value = _text(secret.values[wanted.key])
    if value is None:
        message = f"key {wanted.key} of Secret {name} holds no usable value"
        fix = "Store the key alone: printable ASCII without spaces, not empty, without `Bearer` before it."
        return Problem(owner, f"{at}.key", Reason.SECRET_VALUE_INVALID, message, fix)
    return value


def _text(value: bytes | None) -> str | None:
    try:
        text = (value or b"").decode("ascii").strip()
    except UnicodeDecodeError:
        return None
    return text if _SENDABLE.fullmatch(text) else None
