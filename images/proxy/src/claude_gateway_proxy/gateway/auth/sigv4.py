"""AWS Signature Version 4 of incoming requests: both AWS keys of such a client are its client key of this gateway.

The access key id names the client. Because it is the secret key, too, we can check the signature although the bundle
has only hashes of keys. Rules: AWS's "Create a signed AWS API request", with the path encoded twice as for every
service but S3.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac
from typing import Final
from urllib.parse import parse_qsl, quote

from claude_gateway.names import HEADER_GATEWAY_KEY
from claude_gateway_proxy.gateway.errors import bad_signature
from claude_gateway_runtime.asgi import Headers, Scope

SCHEME: Final = b"AWS4-HMAC-SHA256 "
SKEW_SECONDS: Final = 300.0
"""How far the time of a signature may differ from ours; AWS's own limit."""

_AUTHORIZATION: Final = re.compile(
    rb"AWS4-HMAC-SHA256 +Credential=([!-+\--~]{1,4096})/(\d{8})/([a-z0-9-]{1,64})/([a-z0-9-]{1,64})/aws4_request *, *"
    rb"SignedHeaders=([!-+\--~]{1,4096}) *, *Signature=([0-9a-f]{64})"
)
_TIME: Final = re.compile(rb"(\d{8})T\d{6}Z")
_SPACES: Final = re.compile(rb"[ \t]+")
_NEEDED: Final = b"host"
_GATEWAY_KEY: Final = HEADER_GATEWAY_KEY.encode()


@dataclass(frozen=True, slots=True)
class Signature:
    """The parsed ``authorization`` header of a signed request."""

    key: bytes = field(repr=False)
    date: bytes
    region: bytes
    service: bytes
    signed: tuple[bytes, ...]
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as it was received: ``path`` and ``query`` unchanged, header names in lower case."""

    method: str
    path: bytes
    query: bytes
    headers: Sequence[tuple[bytes, bytes]] = field(repr=False)
    body: bytes = field(repr=False)


def read(authorization: bytes) -> Signature | None:
    """Return the signature in an ``authorization`` header; None if it cannot be read."""
    match = _AUTHORIZATION.fullmatch(authorization.strip())
    if match is None:
        return None
    key, date, region, service, signed, signature = match.groups()
    return Signature(key, date, region, service, tuple(signed.split(b";")), signature)


def check(scope: Scope, body: bytes) -> None:
    """Check the signature of a request whose client is identified by it; any other request passes.

    Raises Failure if it is not valid.
    """
    headers: Headers = scope["headers"]
    shown = dict(headers)
    authorization = shown.get(b"authorization", b"")
    if not authorization.startswith(SCHEME) or _GATEWAY_KEY in shown or (found := read(authorization)) is None:
        return
    request = Signed(scope["method"], scope["raw_path"], scope["query_string"], headers, body)
    verify(found, request, now=datetime.now(UTC))


def verify(found: Signature, request: Signed, *, now: datetime) -> None:
    """Check a request against its signature. Raises Failure if it is not valid, or is too old."""
    time = _value(request, b"x-amz-date") or b""
    match = _TIME.fullmatch(time)
    if match is None or match[1] != found.date:
        raise bad_signature("it has no x-amz-date that fits its credential scope")
    try:
        signed_at = datetime.strptime(time.decode(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise bad_signature("its x-amz-date is not a time") from None
    if abs((now - signed_at).total_seconds()) > SKEW_SECONDS:
        raise bad_signature("its time is more than 5 minutes from the gateway's: check the clock")
    if _NEEDED not in found.signed:
        raise bad_signature("it does not cover the header 'host'")
    payload = sha256(request.body).hexdigest().encode()
    if _value(request, b"x-amz-content-sha256") not in (None, payload):
        raise bad_signature("the body is not the one that was signed")
    scope = b"/".join((found.date, found.region, found.service, b"aws4_request"))
    canonical = sha256(_canonical(found, request, payload)).hexdigest().encode()
    text = b"\n".join((SCHEME.strip(), time, scope, canonical))
    if not compare_digest(hmac(_key(found), text, "sha256").hex().encode(), found.signature):
        raise bad_signature("the request is not the one that was signed, or another secret access key was used")


def _canonical(found: Signature, request: Signed, payload: bytes) -> bytes:
    headers = b"".join(b"%s:%s\n" % (name, _value(request, name) or b"") for name in found.signed)
    path, query = _path(request.path), _query(request.query)
    return b"\n".join((request.method.encode(), path, query, headers, b";".join(found.signed), payload))


def _path(path: bytes) -> bytes:
    """Return the path without empty and dot segments, with each other segment encoded once more."""
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in (b"", b"."):
            kept.append(segment)
    end = b"/" if kept and path.endswith(b"/") else b""
    return quote(b"/" + b"/".join(kept) + end, safe="/~").encode()


def _query(query: bytes) -> bytes:
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    encoded = sorted((_encoded(name), _encoded(value)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded).encode()


def _encoded(text: str) -> str:
    return quote(text, safe="~", encoding="latin-1")


def _value(request: Signed, name: bytes) -> bytes | None:
    values = [_SPACES.sub(b" ", value.strip()) for key, value in request.headers if key == name]
    return b",".join(values) if values else None


def _key(found: Signature) -> bytes:
    key = b"AWS4" + found.key
    for part in (found.date, found.region, found.service, b"aws4_request"):
        key = hmac(key, part, "sha256")
    return key
