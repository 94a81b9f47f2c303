"""Which headers cross the gateway, both ways."""

import re
from collections.abc import Iterable
from typing import Final

from multidict import CIMultiDict

from claude_gateway.names import HEADER_GATEWAY_KEY, INTERNAL_HEADER_PREFIX
from claude_gateway_runtime.asgi import Headers

_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
_REQUEST_DROPPED: Final = _HOP | {
    # Set by the gateway for the upstream.
    b"host",
    b"content-length",
    b"expect",
    b"accept-encoding",
    # Credentials and identity of the client: for this gateway, never for an upstream.
    HEADER_GATEWAY_KEY.encode(),
    b"authorization",
    b"x-api-key",
    b"api-key",
    b"x-goog-api-key",
    b"x-goog-user-project",
    b"x-amz-security-token",
    b"x-amz-date",
    b"x-amz-content-sha256",
    b"cookie",
    b"openai-organization",
    b"openai-project",
    b"forwarded",
    b"x-real-ip",
}
_REQUEST_DROPPED_PREFIXES: Final = (b"proxy-", b"x-forwarded-", INTERNAL_HEADER_PREFIX.encode())
_RESPONSE_DROPPED: Final = _HOP | {
    b"content-length",
    b"set-cookie",
    b"server",
    b"date",
    b"alt-svc",
    b"request-id",
    b"x-request-id",
}
_RESPONSE_DROPPED_PREFIXES: Final = (b"proxy-", INTERNAL_HEADER_PREFIX.encode())
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_BAD_VALUE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_REQUEST_IDS: Final = frozenset({b"request-id", b"x-request-id", b"x-amzn-requestid"})
_REQUEST_ID: Final = re.compile(rb"[!-~]{1,128}")


def request_headers(
    client: Headers, *, login: Headers = (), always: Iterable[tuple[str, str]], missing: Iterable[tuple[str, str]]
) -> CIMultiDict[str]:
    """Return the headers for an upstream: the client's in their order, without hop headers and
    credentials, then the gateway's own.

    ``client`` has lower-case names. ``login`` is the client's own login at the upstream. Each of ``always`` replaces
    the client's header of that name; each of ``missing`` is used only where the client sent none.
    """
    named = _named_by_connection(client)
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in client:
        if name in _REQUEST_DROPPED or name.startswith(_REQUEST_DROPPED_PREFIXES) or name in named:
            continue
        headers.add(name.decode("latin-1"), _text(value))
    for name, value in login:
        headers.add(name.decode("latin-1"), _text(value))
    for key, text in always:
        headers[key] = text
    for key, text in missing:
        headers.setdefault(key, text)
    return headers


def response_headers(upstream: Headers, *, request_id: str, length: int | None) -> list[tuple[bytes, bytes]]:
    """Return the headers for the client; ``length`` is the body's where it is known.

    The answer's id is sent under both names, Anthropic's and OpenAI's: the SDKs look for one or the other.
    """
    lowered = [(name.lower(), value) for name, value in upstream]
    named = _named_by_connection(lowered)
    headers = [
        (name, value)
        for name, value in lowered
        if name not in _RESPONSE_DROPPED
        and not name.startswith(_RESPONSE_DROPPED_PREFIXES)
        and name not in named
        and _NAME.fullmatch(name)
        and not _BAD_VALUE.search(value)
    ]
    ident = request_id.encode()
    headers += ((b"request-id", ident), (b"x-request-id", ident))
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    return headers


def upstream_request_id(upstream: Headers) -> str | None:
    """The id that the upstream gave its answer, by which its support can find it."""
    for name, value in upstream:
        if name.lower() in _REQUEST_IDS and _REQUEST_ID.fullmatch(value):
            return value.decode()
    return None


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    """Headers that ``connection`` declares to be for one hop only."""
    for name, value in headers:
        if name == b"connection":
            return frozenset(token.strip().lower() for token in value.split(b","))
    return frozenset()


def _text(value: bytes) -> str:
    """Header text that the client library writes as the same bytes: it encodes UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
