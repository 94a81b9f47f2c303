"""Who is calling: a client key from the headers, looked up by its SHA-256."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from claude_gateway.contract.policy import Client
from claude_gateway_proxy.gateway.errors import bad_key, no_keys

_KEY_LIMIT: Final = 4096
"""Bytes of a key above which it is refused unread: no client key is that long."""

_BEARER: Final = b"bearer "


def identify(headers: Mapping[bytes, bytes], keys: Mapping[str, Client]) -> Client:
    """The client whose key was sent, as bearer token or, where that is absent or empty, as ``x-api-key``.

    ``headers`` has lower-case names; ``keys`` is by SHA-256 in hex, so no comparison ever sees a key's own bytes.
    Raises Failure 401.
    """
    if not keys:
        raise no_keys()
    key = _bearer(headers.get(b"authorization", b"")) or headers.get(b"x-api-key", b"").strip()
    if not key or len(key) > _KEY_LIMIT:
        raise bad_key()
    client = keys.get(sha256(key).hexdigest())
    if client is None:
        raise bad_key()
    return client


def _bearer(value: bytes) -> bytes:
    return value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else b""
