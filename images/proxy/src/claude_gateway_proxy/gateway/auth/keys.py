"""Who is calling: a client key from the headers, looked up by its SHA-256; and the caller's own login beside it."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

from claude_gateway.contract.policy import Client, Format, Route, Target
from claude_gateway.names import HEADER_GATEWAY_KEY
from claude_gateway_proxy.gateway.auth import sigv4
from claude_gateway_proxy.gateway.errors import bad_key, format_not_served, login_needed, no_keys

Headers = Sequence[tuple[bytes, bytes]]

_KEY_LIMIT: Final = 4096
"""Bytes of a key above which it is refused unread: no client key is that long."""

_BEARER: Final = b"bearer "
_GATEWAY_KEY: Final = HEADER_GATEWAY_KEY.encode()
_LOGIN: Final = frozenset({b"authorization", b"x-api-key"})


def identify(headers: Mapping[bytes, bytes], keys: Mapping[str, Client]) -> Client:
    """The client whose key was sent: as ``x-gateway-key``, else as bearer token, else as ``x-api-key`` or ``api-key``.

    A request with an AWS signature has the key as its access key id; whether the signature fits is not looked at here.

    Where ``x-gateway-key`` is there, the other two are not looked at: they are the caller's own login. ``headers`` has
    lower-case names; ``keys`` is by SHA-256 in hex, so no comparison ever sees a key's own bytes. Raises Failure 401.
    """
    if not keys:
        raise no_keys()
    sent = headers.get(_GATEWAY_KEY)
    if sent is not None:
        key = _bearer(sent) or sent.strip()
    else:
        shown = headers.get(b"authorization", b"")
        key = _bearer(shown) or headers.get(b"x-api-key", b"").strip() or headers.get(b"api-key", b"").strip()
        if shown.startswith(sigv4.SCHEME) and (signature := sigv4.read(shown)) is not None:
            key = signature.key
    if not key or len(key) > _KEY_LIMIT:
        raise bad_key()
    client = keys.get(sha256(key).hexdigest())
    if client is None:
        raise bad_key()
    return client


def own_login(headers: Headers) -> Headers:
    """The headers with the caller's own login at the upstream, as they were sent; none without ``x-gateway-key``.

    Without that header they hold the key of this gateway, which must not leave it.
    """
    if all(name != _GATEWAY_KEY for name, _ in headers):
        return ()
    return tuple((name, value) for name, value in headers if name in _LOGIN and value.strip())


def open_to(route: Route, *, format: Format, login: Headers) -> Sequence[Target]:
    """The route's targets that this caller can be sent to; one that takes the caller's own login needs one.

    A login is for one upstream in its own format: no other target and no translator ever gets it. Raises Failure
    where no target is left.
    """
    if not any(target.forward_client_token for target in route.targets):
        return route.targets
    found = [
        target for target in route.targets if not target.forward_client_token or (login and format in target.formats)
    ]
    if not found:
        raise format_not_served(route.name, format.value) if login else login_needed(route.name)
    return found


def _bearer(value: bytes) -> bytes:
    return value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else b""
