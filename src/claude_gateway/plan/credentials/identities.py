"""Reads cloud identities from Secrets into the one form that the data plane accepts, without any other field."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from claude_gateway.api.base import SecretKeyRef, SecretRef
from claude_gateway.contract.policy import Egress
from claude_gateway.names import Reason
from claude_gateway.plan import addresses
from claude_gateway.plan.clouds import GOOGLE_TOKENS
from claude_gateway.plan.problem import ObjectRef, Problem
from claude_gateway.plan.secret import is_reference, usable, value_of, word
from claude_gateway.plan.world import World

_BEARER: Final = "AWS_BEARER_TOKEN_BEDROCK"
_SESSION: Final = "AWS_SESSION_TOKEN"
_KEYS: Final = (("accessKeyId", "AWS_ACCESS_KEY_ID"), ("secretAccessKey", "AWS_SECRET_ACCESS_KEY"))
_GOOGLE: Final = ("type", "project_id", "private_key_id", "private_key", "client_email", "client_id", "token_uri")
"""The fields of a service account's key file that are used; others can hold addresses and are dropped."""
_SERVICE_ACCOUNT: Final = "service_account"
_PEM: Final = re.compile(
    r"-----BEGIN (?:RSA )?PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END (?:RSA )?PRIVATE KEY-----\n*"
)
_EMAIL: Final = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+")
_LONGEST: Final = 16_384
_KEY_FILE: Final = "Store the JSON key file of a Google service account unchanged."


def aws(world: World, ref: SecretRef, *, owner: ObjectRef, at: str, assumes: bool = False) -> bytes | Problem:
    """Return an AWS identity as JSON: access key with optional session token, or ``bearerToken``.

    ``assumes``: it must assume a role, which a Bedrock API key cannot do.
    """
    secret = usable(world.secrets, ref, owner=owner, at=at, unreadable=world.unreadable)
    if isinstance(secret, Problem):
        return secret
    wanted = [("bearerToken", _BEARER)] if _BEARER in secret.values else [*_KEYS]
    if _BEARER not in secret.values and _SESSION in secret.values:
        wanted.append(("sessionToken", _SESSION))
    if assumes and _BEARER in secret.values:
        message = f"Secret {owner.namespace}/{ref.name} has a Bedrock API key, which cannot assume a role"
        fix = f"Store access keys instead of `{_BEARER}`, or remove `assumeRole`."
        return Problem(owner, at, Reason.SECRET_VALUE_INVALID, message, fix)
    found: dict[str, str] = {}
    for name, key in wanted:
        value = word(secret, key, owner=owner, at=f"{at}.name")
        if isinstance(value, Problem):
            return value
        found[name] = value
    return _json(found)


def google(world: World, ref: SecretKeyRef, *, owner: ObjectRef, at: str) -> bytes | Problem:
    """Return the used fields of a service account's key file as JSON."""
    secret = usable(world.secrets, ref, owner=owner, at=at, unreadable=world.unreadable)
    if isinstance(secret, Problem):
        return secret
    value = value_of(secret, ref.key, owner=owner, at=f"{at}.key")
    if isinstance(value, Problem):
        return value
    fields = _fields(value)
    wrong = "is not a JSON object" if fields is None else _wrong(fields, world.settings.egress)
    if fields is None or wrong is not None:
        message = f"key {ref.key} of Secret {owner.namespace}/{ref.name} {wrong}"
        return Problem(owner, f"{at}.key", Reason.SECRET_VALUE_INVALID, message, _KEY_FILE)
    return _json({name: fields[name] for name in _GOOGLE if name in fields})


def _fields(value: bytes) -> Mapping[str, Any] | None:
    if len(value) > _LONGEST:
        return None
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _wrong(fields: Mapping[str, Any], egress: Egress) -> str | None:
    """Return why a key file cannot be used, without quoting it; None if it can.

    Only keys of service accounts are accepted: other kinds of credential file make google-auth run programs and call
    addresses that the file names.
    """
    if fields.get("type") != _SERVICE_ACCOUNT:
        return "is not the key of a service account"
    if not all(isinstance(fields[name], str) and fields[name].isascii() for name in _GOOGLE if name in fields):
        return "has a field that is not plain text"
    if any(is_reference(fields[name]) for name in _GOOGLE if name in fields):
        return "has a field that could be read as a reference to a secret"
    if not _PEM.fullmatch(fields.get("private_key", "")):
        return "has no private key"
    if not _EMAIL.fullmatch(fields.get("client_email", "")):
        return "has no valid `client_email`"
    if not _may_sign_in_at(fields.get("token_uri", ""), egress):
        return f"has a `token_uri` other than {GOOGLE_TOKENS}"
    return None


def _may_sign_in_at(address: str, egress: Egress) -> bool:
    """Allow Google's address, and test servers: addresses that are rejected by default but allowed explicitly."""
    if address == GOOGLE_TOKENS:
        return True
    if addresses.refusal(address, egress) is not None:
        return False
    return addresses.refusal(address, Egress()) is not None or urlsplit(address).hostname in egress.hosts


def _json(fields: Mapping[str, str]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
