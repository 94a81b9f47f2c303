"""Who is calling: a client key from the headers, looked up by its SHA-256; and the caller's own login beside it."""

from collections.abc import Container, Mapping, Sequence
from hashlib import sha256
from typing import Final

from claude_gateway.contract.policy import Client
from claude_gateway.names import HEADER_GATEWAY_KEY
from claude_gateway_proxy.gateway.auth import sigv4
from claude_gateway_proxy.gateway.auth.spellings import holds_key
from claude_gateway_proxy.gateway.errors import bad_key, no_keys

Headers = Sequence[tuple[bytes, bytes]]

_KEY_LIMIT: Final = 4096
"""Bytes of a key at most; a longer one is rejected unread."""

_BEARER: Final = b"bearer "
_GATEWAY_KEY: Final = HEADER_GATEWAY_KEY.encode()
_LOGIN: Final = frozenset({b"authorization", b"x-api-key"})


def identify(headers: Mapping[bytes, bytes], keys: Mapping[str, Client]) -> Client:
    """Return the client whose key was sent: ``x-gateway-key``, else a bearer token, else ``x-api-key`` or ``api-key``.

    A request with an AWS signature has the key as its access key id; ``sigv4.check`` verifies the signature.

    With ``x-gateway-key``, the other headers are ignored: they are the caller's own login. ``headers`` has lower-case
    names; ``keys`` is by SHA-256 in hex, so that no comparison sees a key's own bytes. Raises Failure (401).
    """
    if not keys:
        raise no_keys()
    key = sent_key(headers)
    if not key or len(key) > _KEY_LIMIT:
        raise bad_key()
    client = keys.get(sha256(key).hexdigest())
    if client is None:
        raise bad_key()
    return client


def sent_key(headers: Mapping[bytes, bytes]) -> bytes:
    """Return the key of this gateway that a request shows; ``headers`` has lower-case names."""
    sent = headers.get(_GATEWAY_KEY)
    if sent is not None:
        return _bearer(sent) or sent.strip()
    shown = headers.get(b"authorization", b"")
    if shown.startswith(sigv4.SCHEME) and (signature := sigv4.read(shown)) is not None:
        return signature.key
    return _bearer(shown) or headers.get(b"x-api-key", b"").strip() or headers.get(b"api-key", b"").strip()


def own_login(headers: Headers, keys: Container[str]) -> Headers:
    """Return the headers with the caller's own login at the upstream, as sent; none without ``x-gateway-key``.

    Without that header they hold the key of this gateway, which must not leave it; nor does a header that holds a
    key beside it. ``keys`` are SHA-256 in hex.
    """
    if all(name != _GATEWAY_KEY for name, _ in headers):
        return ()
    sent = sent_key(dict(headers))
    return tuple(
        (name, value)
        for name, value in headers
        if name in _LOGIN and value.strip() and not holds_key(value, sent=sent, keys=keys)
    )


def _bearer(value: bytes) -> bytes:
    return value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else b""
