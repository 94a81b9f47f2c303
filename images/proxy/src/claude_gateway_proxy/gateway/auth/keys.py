"""The credentials in a request's headers: a client key or a token, and the caller's own login beside it."""

import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from claude_gateway.contract.client import Client
from claude_gateway.names import CERTIFICATE_KEY, HEADER_GATEWAY_KEY
from claude_gateway_proxy.gateway.auth import sigv4
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.auth.spellings import holds_key
from claude_gateway_proxy.gateway.errors import key_expired

Headers = Sequence[tuple[bytes, bytes]]

LONGEST_KEY: Final = 4096
"""The largest key in bytes; a longer one is rejected unread."""

CERTIFICATE: Final = CERTIFICATE_KEY.encode()
"""The placeholder for a key in requests that a certificate identifies."""

_BEARER: Final = b"bearer "
_GATEWAY_KEY: Final = HEADER_GATEWAY_KEY.encode()
_LOGIN: Final = frozenset({b"authorization", b"x-api-key"})


@dataclass(frozen=True, slots=True)
class PersonalKey:
    """A key with a person, a team or an expiry: names may be empty, ``expires`` is Unix time or None."""

    client: Client
    user: str
    team: str
    expires: int | None


def holder(found: Client | PersonalKey) -> Principal:
    """Return the holder of a key. Raises Failure (401) if the key has expired."""
    if not isinstance(found, PersonalKey):
        return Principal(found)
    if found.expires is not None and time.time() >= found.expires:
        raise key_expired()
    return Principal(found.client, user=found.user, team=found.team)


def sent_key(headers: Mapping[bytes, bytes]) -> bytes:
    """Return the key or token of this gateway that a request presents; ``headers`` has lower-case names.

    It is ``x-gateway-key``, else a bearer token, else ``x-api-key`` or ``api-key``. A request with an AWS signature has
    it as its access key id; ``sigv4.check`` verifies the signature. With ``x-gateway-key``, the other headers are
    ignored: they are the caller's own login.
    """
    sent = headers.get(_GATEWAY_KEY)
    if sent is not None:
        return _bearer(sent) or sent.strip()
    shown = headers.get(b"authorization", b"")
    if shown.startswith(sigv4.SCHEME) and (signature := sigv4.read(shown)) is not None:
        return signature.key
    return _bearer(shown) or headers.get(b"x-api-key", b"").strip() or headers.get(b"api-key", b"").strip()


def secret_key(headers: Mapping[bytes, bytes]) -> bytes:
    """Return the key or token that a request presents, which must not leave the gateway; never its placeholder."""
    sent = sent_key(headers)
    return b"" if sent == CERTIFICATE else sent


def own_login(headers: Headers, keys: Container[str]) -> Headers:
    """Return the headers with the caller's own login at the upstream, as sent; empty without ``x-gateway-key``.

    Without that header they contain the key of this gateway, which must not leave it. A header that contains another
    key is left out, too. ``keys`` are SHA-256 in hex.
    """
    if all(name != _GATEWAY_KEY for name, _ in headers):
        return ()
    sent = secret_key(dict(headers))
    return tuple(
        (name, value)
        for name, value in headers
        if name in _LOGIN and value.strip() and not holds_key(value, sent=sent, keys=keys)
    )


def _bearer(value: bytes) -> bytes:
    return value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else b""
